"""From a folder of images to a ranking, without labels: multi-memory matching in a plain loop.

    python examples/images.py [FOLDER]      a data set in the layout of SYSU-MM01

Where the folder is not there yet, a small synthetic set is rendered into it. Nothing else is
written. About a minute on two cores, in which pre-training gives nearly all of the gain: the
clusters of so few images are small, and matching them adds nothing. For video: tracklets.py.
"""

import argparse
from pathlib import Path

import torch
from vireid.clustering import ClusteringOptions, centre_by_camera, subcluster_centres
from vireid.datasets import ClipLoader, ClipReader, Modality, load_dataset
from vireid.datasets.samplers import TrackContrastSampler, UnifiedBatchSampler
from vireid.datasets.transforms import RecolourAugmentation
from vireid.evaluation import evaluate, extract_features, protocols_of, tracks_of
from vireid.losses import ContrastiveLoss
from vireid.memory import ClusterMemory, cluster_means
from vireid.mmm import match, matching_cost, unify_labels
from vireid.models import AGW
from vireid.pseudo_labels import intra_modality_labels
from vireid.synthetic import render_dataset

CLUSTERING = ClusteringOptions(k1=20, k2=6, eps=0.5, min_samples=4, on_collapse="relax")
TEMPERATURE = 0.1


def main() -> None:
    """Reads, pre-trains, clusters, matches, trains, and ranks after each step."""
    parser = argparse.ArgumentParser(description="Learns from images without labels.")
    parser.add_argument("folder", type=Path, nargs="?", default=Path("runs/example-images"))
    parser.add_argument("--backbone", default="thin-8", help="thin-8, thin-16, resnet50, …")
    parser.add_argument("--pretrain-steps", type=int, default=500)
    parser.add_argument("--epochs", type=int, default=3)
    given = parser.parse_args()
    torch.manual_seed(0)

    # Data. An image is a track of one frame; its identity is read by the evaluation alone.
    if not given.folder.exists():
        render_dataset(
            given.folder,
            layout="sysu-mm01",
            preset="demo",
            train_identities=60,
            test_identities=20,
        )
    data = load_dataset("sysu-mm01", given.folder)
    protocols = protocols_of(data)  # all and indoor search, ten single-shot galleries each
    train_tracks = sorted(data.train, key=lambda track: track.modality)  # visible ones first
    train = ClipReader(train_tracks, height=64, width=32, num_frames=1)
    test = ClipReader(tracks_of(protocols), height=64, width=32, num_frames=1)
    modalities = torch.tensor([track.modality for track in train_tracks])
    cameras = torch.tensor([track.camera for track in train_tracks])
    visible, infrared = modalities == Modality.VISIBLE, modalities == Modality.INFRARED

    model = AGW(0, backbone=given.backbone)
    augment, draws = RecolourAugmentation(), torch.Generator().manual_seed(0)
    contrast = ContrastiveLoss(TEMPERATURE)

    def rank(stage: str) -> None:
        """Infrared images look for visible ones of the same person."""
        model.eval()
        features = extract_features(model.embed, test)
        for result in evaluate(features, test.tracks, protocols):
            mean = result.mean
            print(f"{stage}: {result.protocol}: mAP {mean.mAP:.1%}, Rank-1 {mean.cmc[0]:.1%}")

    rank("untrained")

    # Pre-training: two views of an image are one person, other images of its camera are not.
    model.train()
    images = TrackContrastSampler(modalities, cameras, 32, given.pretrain_steps)
    optimiser = torch.optim.AdamW(model.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 6e-3, given.pretrain_steps)
    for pixels, index in ClipLoader(train, [batch + batch for batch in images]):
        views = augment(pixels, modalities[index], draws)
        embeddings = model.forward_features(views, modalities[index]).embeddings
        loss = contrast(embeddings, index, groups=modalities[index])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    rank("pre-trained")

    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for epoch in range(given.epochs):
        # Pseudo-labels: clusters of each modality by itself.
        model.eval()
        features = centre_by_camera(extract_features(model.embed, train), cameras)
        labels = torch.from_numpy(intra_modality_labels(features, modalities.numpy(), CLUSTERING))

        # Matching: the distances of four centres a cluster say which two are one person.
        sides = [(features[side], labels[side]) for side in (visible, infrared)]
        centres = [subcluster_centres(*side)[0] for side in sides]
        assignment = match(matching_cost(*centres), "nearest")
        unified = torch.cat(unify_labels(labels[visible], labels[infrared], assignment))
        print(f"{len(centres[0])} visible and {len(centres[1])} infrared clusters")

        # Training: the loss reads the memory, which is written after the step.
        memory = ClusterMemory(cluster_means(features, unified), TEMPERATURE, momentum=0.8)
        clusters = min(16, len(memory.prototypes))
        batches = UnifiedBatchSampler(unified, modalities, clusters, 4, num_batches=20, seed=epoch)
        model.train()
        for pixels, index in ClipLoader(train, batches, seed=(1, epoch)):
            views = augment(pixels, modalities[index], draws)
            embeddings = model.forward_features(views, modalities[index]).embeddings
            loss = 0.3 * memory(embeddings, unified[index]) + contrast(embeddings, unified[index])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            memory.update(embeddings.detach(), unified[index])
        rank(f"epoch {epoch + 1}")


if __name__ == "__main__":
    main()
