"""M3-ReID's training step in the plain form: what `benchmarks.train_step` compares with.

The network and the losses as a first version writes them: the attention matrix of all positions by
all positions, three permuted copies of the map for the masks, a masked copy of the map for each
mask, cosines by broadcasting, clips prepared one by one. Values and gradients are those of
``vireid.models`` and ``vireid.losses`` (tested).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from vireid.datasets.transforms import VideoAugmentation
from vireid.models import BatchOutput, M3ReID
from vireid.models.multi_view import MultiViewPooling, ViewMasks
from vireid.models.non_local import NonLocalBlock


class PlainM3ReID(nn.Module):
    """The plain computation on the parameters of a network.

    Args:
        network: whose parameters are used; its classifiers have to be there.
    """

    def __init__(self, network: M3ReID) -> None:
        super().__init__()
        self.network = network

    def forward(self, clips: Tensor) -> BatchOutput:
        """What ``M3ReID`` gives in training mode, for clips [B, T, 3, H, W]."""
        net, trunk = self.network, self.network.trunk
        frames = clips.shape[1]
        maps = trunk.layer1(net.stem(clips.flatten(0, 1)))
        for layer, blocks in (
            (trunk.layer2, trunk.non_local2),
            (trunk.layer3, trunk.non_local3),
        ):
            first = len(layer) - len(blocks)
            for index, block in enumerate(layer):
                maps = block(maps)
                if index >= first:
                    attention = blocks[index - first]
                    assert isinstance(attention, NonLocalBlock)
                    maps = non_local(attention, maps, frames)
        pooled, masks = multi_view(net.pool, trunk.layer4(maps).unflatten(0, (-1, frames)))
        embeddings = net.neck(pooled).unflatten(0, (-1, frames))
        mean = embeddings.mean(dim=1)
        assert net.classifier is not None and net.frame_classifier is not None
        frame_logits = net.frame_classifier(embeddings)
        return BatchOutput(mean, mean, net.classifier(mean), embeddings, frame_logits, masks)


def non_local(block: NonLocalBlock, maps: Tensor, frames: int) -> Tensor:
    """A non-local block with its matrix of positions by positions, for maps [B * T, C, H, W]."""
    height, width = maps.shape[-2:]
    embedded = [conv(maps) for conv in (block.theta, block.phi, block.g)]
    if block.subsample:
        embedded[1:] = [F.max_pool2d(maps, 2, ceil_mode=True) for maps in embedded[1:]]
    rows = [
        maps.unflatten(0, (-1, frames)).transpose(1, 2).flatten(2).transpose(1, 2)
        for maps in embedded
    ]
    weights = (rows[0] @ rows[1].transpose(1, 2)).softmax(dim=-1)
    mixed = (weights @ rows[2]).transpose(1, 2).unflatten(2, (frames, height, width))
    mixed = mixed.transpose(1, 2).flatten(0, 1).contiguous()
    return block.norm(block.project(mixed)) + maps


def multi_view(pool: MultiViewPooling, maps: Tensor) -> tuple[Tensor, ViewMasks]:
    """Three-view pooling with masked copies of the maps [B, T, C, H, W]."""
    batch, frames, _, height, width = maps.shape
    cuts = (
        maps.flatten(0, 1),
        maps.permute(0, 3, 2, 1, 4).flatten(0, 1),
        maps.permute(0, 4, 2, 1, 3).flatten(0, 1),
    )
    views = (pool.hw, pool.tw, pool.th)
    # In half precision masks and masked maps stay half, as autocast leaves them in released code;
    # powers, cosines and softmax are widened by autocast itself.
    masks = [view(cut).sigmoid() for view, cut in zip(views, cuts)]
    of_frames = (
        masks[0].unflatten(0, (batch, frames)),
        masks[1].unflatten(0, (batch, height)).permute(0, 3, 2, 1, 4),
        masks[2].unflatten(0, (batch, width)).permute(0, 3, 2, 4, 1),
    )
    pooled = []
    for view_masks in of_frames:
        for mask in view_masks.unbind(dim=2):
            masked = (maps * mask.unsqueeze(2)).pow(pool.power).mean(dim=(3, 4))
            pooled.append((masked + 1e-12).pow(1 / pool.power).flatten(0, 1))
    return torch.cat(pooled, dim=1), ViewMasks(*(mask.flatten(2) for mask in masks))


def alignment(embeddings: Tensor, identities: Tensor, modalities: Tensor) -> Tensor:
    """Modality alignment loss with cosines by broadcasting."""
    sides = []
    for code in modalities.unique():
        own, other = modalities == code, modalities != code
        query, gallery = embeddings[own], embeddings[other]
        distance = (1 - F.cosine_similarity(query[:, None], gallery[None], dim=-1)) / 2
        same = identities[own][:, None] == identities[other][None]
        valid = same.any(1) & ~same.all(1)
        if valid.any():
            positive = (distance * same).sum(1)[valid] / same.sum(1)[valid]
            negative = (distance * ~same).sum(1)[valid] / (~same).sum(1)[valid]
            sides.append(F.softplus(positive - negative).mean())
    return torch.stack(sides).mean() if sides else embeddings.sum() * 0


def separation(vectors: Tensor) -> Tensor:
    """Separation loss of vectors [B, K, D] with cosines by broadcasting."""
    cosines = F.cosine_similarity(vectors[:, :, None], vectors[:, None], dim=-1)
    others = ~torch.eye(vectors.shape[1], dtype=torch.bool, device=vectors.device)
    return cosines[:, others].square().mean()


def prepare(clips: Tensor, modalities: Tensor, generator: torch.Generator) -> Tensor:
    """Augments clips [B, T, 3, H, W] uint8 one by one on the host, to float32."""
    augmentation = VideoAugmentation()
    prepared = [
        augmentation(clip[None], modality[None], generator)[0].contiguous()
        for clip, modality in zip(clips, modalities)
    ]
    return torch.stack(prepared)
