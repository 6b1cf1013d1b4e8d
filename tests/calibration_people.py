"""Twelve people in four cameras as plain folders, and what the file of a tiny network says."""

import numpy as np
from PIL import Image

PEOPLE = 12
FACTS = {"network": "M3ReID", "backbone": "thin-8", "num_identities": 0, "num_frames": 1}
FACTS |= {"test_frames": 1, "img_h": 32, "img_w": 16, "test_resize": "bilinear", "flip": False}
FACTS |= {"stage": "mmm", "step": 3, "dataset": "folder", "seed": 0}


def picture(path, person, rng):
    """A person has two colours; a sighting adds noise."""
    own = np.random.default_rng(person).integers(40, 216, (2, 1, 1, 3))
    pixels = np.concatenate(np.broadcast_to(own, (2, 16, 16, 3)))
    noise = rng.integers(-30, 31, pixels.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((pixels + noise).clip(0, 255).astype(np.uint8)).save(path)


def write_people(root):
    """Twelve people in two cameras of each modality, and two of them in training as well."""
    rng = np.random.default_rng(0)
    for person in range(PEOPLE + 2):
        for split, modality, cameras in (
            ("query", "infrared", (3, 4)),
            ("gallery", "visible", (1, 2)),
        ):
            for camera in cameras:
                for number in range(2):
                    where = f"{modality}/cam{camera}/{number}.png"
                    picture(root / split / f"{person}" / where, person, rng)
                    if person >= PEOPLE:
                        picture(root / "train" / f"{person}" / where, person, rng)
    return root
