"""From a folder of tracklets to a ranking, without labels: multi-memory matching in a plain loop.

    python examples/tracklets.py [FOLDER]      a data set in the layout of HITSZ-VCM

Where the folder is not there yet, a small synthetic set is rendered into it. Nothing else is
written. About a minute on two cores.
"""

import argparse
from pathlib import Path

import torch
from vireid.clustering import ClusteringOptions, centre_by_camera, subcluster_centres
from vireid.datasets import ClipLoader, ClipReader, Modality, load_dataset
from vireid.datasets.samplers import TrackContrastSampler, UnifiedBatchSampler
from vireid.datasets.transforms import RecolourAugmentation
from vireid.evaluation import extract_features, rank_metrics, track_labels
from vireid.losses import ContrastiveLoss
from vireid.memory import ClusterMemory, cluster_means
from vireid.mmm import match, matching_cost, unify_labels
from vireid.models import M3ReID
from vireid.pseudo_labels import intra_modality_labels
from vireid.synthetic import render_dataset

CLUSTERING = ClusteringOptions(k1=6, k2=3, eps=0.5, min_samples=2, on_collapse="relax")
TEMPERATURE = 0.1


def main() -> None:
    """Reads, pre-trains, clusters, matches, trains, and ranks after each step."""
    parser = argparse.ArgumentParser(description="Learns from tracklets without labels.")
    parser.add_argument("folder", type=Path, nargs="?", default=Path("runs/example-tracklets"))
    parser.add_argument("--backbone", default="thin-8", help="thin-8, thin-16, resnet50, …")
    parser.add_argument("--pretrain-steps", type=int, default=600)
    parser.add_argument("--epochs", type=int, default=3)
    given = parser.parse_args()
    torch.manual_seed(0)

    # Data. The training tracks know who they show; nothing below asks them.
    if not given.folder.exists():
        render_dataset(given.folder, train_identities=16, test_identities=10)
    data = load_dataset("hitsz-vcm", given.folder)
    train_tracks = sorted(data.train, key=lambda track: track.modality)  # visible ones first
    modalities = torch.tensor([track.modality for track in train_tracks])
    cameras = torch.tensor([track.camera for track in train_tracks])
    visible, infrared = modalities == Modality.VISIBLE, modalities == Modality.INFRARED
    train, query, gallery = (
        ClipReader(tracks, height=64, width=32, num_frames=frames)
        for tracks, frames in ((train_tracks, 2), (data.query, 4), (data.gallery, 4))
    )

    model = M3ReID(0, backbone=given.backbone)
    augment, draws = RecolourAugmentation(), torch.Generator().manual_seed(0)
    contrast = ContrastiveLoss(TEMPERATURE)

    def rank(stage: str) -> None:
        """Infrared tracklets look for visible ones of the same person by other cameras."""
        model.eval()
        left, right = (extract_features(model.embed, reader) for reader in (query, gallery))
        (ids, cams), (other_ids, other_cams) = map(track_labels, (data.query, data.gallery))
        found = rank_metrics(left @ right.T, ids, other_ids, cams, other_cams)
        print(f"{stage}: mAP {found.mAP:.1%}, Rank-1 {found.cmc[0]:.1%}", flush=True)

    rank("untrained")

    # Pre-training: two clips of a tracklet are one person, other tracklets of its camera are not.
    model.train()
    tracks = TrackContrastSampler(modalities, cameras, 16, given.pretrain_steps)
    optimiser = torch.optim.AdamW(model.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 6e-3, given.pretrain_steps)
    for clips, index in ClipLoader(train, [batch + batch for batch in tracks], num_frames=1):
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
        labels = torch.from_numpy(intra_modality_labels(features, modalities.numpy(), CLUSTERING))

        # Matching: the distances of four centres a cluster say which two are one person.
        sides = [(features[side], labels[side]) for side in (visible, infrared)]
        centres = [subcluster_centres(*side)[0] for side in sides]
        assignment = match(matching_cost(*centres), "one-to-one")
        unified = torch.cat(unify_labels(labels[visible], labels[infrared], assignment))
        print(f"{len(centres[0])} visible and {len(centres[1])} infrared clusters")

        # Training: the loss reads the memory, which is written after the step.
        memory = ClusterMemory(cluster_means(features, unified), TEMPERATURE, momentum=0.8)
        batches = UnifiedBatchSampler(unified, modalities, p=8, k=4, num_batches=20, seed=epoch)
        model.train()
        for clips, index in ClipLoader(train, batches, seed=(1, epoch)):
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
