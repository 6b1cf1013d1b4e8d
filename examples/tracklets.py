"""From a folder of tracklets to a ranking, without labels: multi-memory matching in a plain loop.

    python examples/tracklets.py [FOLDER]      a data set in the layout of HITSZ-VCM

Without a folder, or with one that is not there yet, a small synthetic set is rendered. Nothing is
written but that set. About a minute on two cores.
"""

import argparse
from pathlib import Path

import torch
from vireid.clustering import centre_by_camera, cluster, subcluster_centres
from vireid.datasets import ClipLoader, ClipReader, Modality, load_dataset
from vireid.datasets.samplers import TrackContrastSampler, UnifiedBatchSampler
from vireid.datasets.transforms import RecolourAugmentation
from vireid.evaluation import evaluate, extract_features, protocols_of, tracks_of
from vireid.losses import ContrastiveLoss
from vireid.memory import ClusterMemory, cluster_means
from vireid.mmm import match, matching_cost, unify_labels
from vireid.models import M3ReID
from vireid.synthetic import render_dataset

TEMPERATURE = 0.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", default=Path("runs/example-tracklets"))
    parser.add_argument("--backbone", default="thin-16", help="thin-8, thin-16, resnet50, …")
    parser.add_argument("--pretrain-steps", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--people", type=int, default=16, help="training people to render")
    given = parser.parse_args()
    torch.manual_seed(0)

    # Data. Training tracks carry identities on disk; from here on nothing looks at them.
    if not given.folder.exists():
        render_dataset(given.folder, train_identities=given.people, test_identities=10)
    data = load_dataset("hitsz-vcm", given.folder)
    protocols = protocols_of(data)  # visible to infrared, and back
    frames = {"height": 64, "width": 32, "num_frames": 2}
    train = ClipReader(sorted(data.train, key=lambda track: track.modality), **frames)
    test = ClipReader(tracks_of(protocols), **frames)
    modalities = torch.tensor([track.modality for track in train.tracks])
    cameras = torch.tensor([track.camera for track in train.tracks])

    model = M3ReID(0, num_frames=2, backbone=given.backbone)
    augment, draws = RecolourAugmentation(), torch.Generator().manual_seed(0)
    contrast = ContrastiveLoss(TEMPERATURE)

    def rank(stage: str) -> None:
        model.eval()
        for result in evaluate(extract_features(model.embed, test), test.tracks, protocols):
            mean = result.mean
            print(f"{stage:12} {result.protocol}  mAP {mean.mAP:6.1%}  Rank-1 {mean.cmc[0]:6.1%}")

    rank("untrained")

    # Pre-training: two clips of a tracklet are one person, other tracklets of its camera are not.
    model.train()
    sampler = TrackContrastSampler(modalities, cameras, 16, given.pretrain_steps)
    optimiser = torch.optim.AdamW(model.parameters(), lr=6e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 6e-3, given.pretrain_steps)
    for clips, index in ClipLoader(train, [batch + batch for batch in sampler], num_frames=1):
        images = augment(clips, modalities[index], draws)
        embeddings = model.forward_features(images, modalities[index]).embeddings
        loss = contrast(embeddings, index, groups=modalities[index])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    rank("pre-trained")

    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for epoch in range(given.epochs):
        # Pseudo-labels: clusters of each modality by itself.
        model.eval()
        features = centre_by_camera(extract_features(model.embed, train), cameras)
        sides = [features[modalities == modality] for modality in Modality]
        labels = [
            torch.from_numpy(cluster(side, k1=6, k2=3, eps=0.5, min_samples=2).labels)
            for side in sides
        ]
        # Matching: four centres of every cluster; visible clusters choose infrared ones.
        centres = [subcluster_centres(*side, k=4)[0] for side in zip(sides, labels)]
        assignment = match(matching_cost(*centres), "one-to-one")
        unified = torch.cat(unify_labels(*labels, assignment))
        print(f"{len(centres[0])} visible and {len(centres[1])} infrared clusters, "
              f"{int((assignment >= 0).sum())} matched")
        # Training: the memory is read by the loss, and written after the step.
        memory = ClusterMemory(cluster_means(features, unified), TEMPERATURE, momentum=0.8)
        sampler = UnifiedBatchSampler(unified, modalities, p=8, k=4, num_batches=20)
        sampler.set_epoch(epoch)
        model.train()
        for clips, index in ClipLoader(train, sampler, seed=(1, epoch)):
            images = augment(clips, modalities[index], draws)
            embeddings = model.forward_features(images, modalities[index]).embeddings
            loss = 0.3 * memory(embeddings, unified[index]) + contrast(embeddings, unified[index])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            memory.update(embeddings.detach(), unified[index])
        rank(f"epoch {epoch + 1}")


if __name__ == "__main__":
    main()
