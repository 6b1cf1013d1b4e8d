"""Settings that the smallest training runs of several test files share; each adds its own."""

COMMON = {
    "img_h": 32,
    "img_w": 16,
    "test_frames": 2,
    "cache": "memory",
    "workers": 0,
    "backbone": "thin-8",
    "augmentation": "recolour",
    "optimiser": "adamw",
    "k1": 6,
    "k2": 3,
    "eps": 0.5,
    "min_samples": 2,
    "on_collapse": "relax",
    "device": "cpu",
    "precision": "fp32",
}

# Batches of four images: for what does not depend on how well is trained.
SHORTEST = {
    **COMMON,
    "num_frames": 1,
    "schedule": "cosine",
    "memory_temperature": 0.1,
    "p_num": 2,
    "k_num": 2,
}
SHORTEST_STAGE_ONE = {
    **SHORTEST,
    "weights": "none",
    "pretrain_epochs": 1,
    "pretrain_steps": 2,
    "pretrain_tracks": 4,
    "intra_epochs": 1,
    "cross_epochs": 1,
    "steps": 2,
    "joint_k1": 8,
    "joint_k2": 4,
}

# Large enough to learn something.
LEARNING = {
    **COMMON,
    "img_h": 64,
    "img_w": 32,
    "test_frames": 4,
    "backbone": "thin-16",
    "schedule": "cosine",
    "camera_mean": True,
    "memory_temperature": 0.1,
    "memory_momentum": 0.8,
    "memory_weight": 0.3,
    "contrast_weight": 1.0,
}
