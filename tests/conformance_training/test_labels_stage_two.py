"""Which images stage two keeps, and the numbers of its classes."""

import numpy as np
from training_vectors import arrays, each_vector
from vireid.datasets.track import Modality
from vireid.mmm.released_labels import released_classes


@each_vector("labels_stage_two*.npz")
def test_kept_images_are_those_of_the_released_code_and_no_label_reaches_the_classes(vector):
    case = arrays(vector)
    sides = {"visible": Modality.VISIBLE, "infrared": Modality.INFRARED}
    labels = np.concatenate([case[f"labels_{side}"] for side in sides])
    modalities = np.concatenate(
        [np.full(len(case[f"labels_{side}"]), int(code)) for side, code in sides.items()]
    )
    classes = released_classes(labels, modalities)
    kept_labels = []
    for side, code in sides.items():
        kept = np.flatnonzero(classes[modalities == code] >= 0)
        assert kept.tolist() == case[f"kept_{side}"].tolist()
        kept_labels.append(case[f"labels_{side}"][kept])
    # The released code counts the larger side alone; a label beyond it would stop that code.
    assert max(len(np.unique(side)) for side in kept_labels) == int(case["literal_classes"])
    beyond = sum(int((side >= case["literal_classes"]).sum()) for side in kept_labels)
    assert beyond == int(case["labels_beyond_classes"])
    used = np.unique(classes[classes >= 0])
    assert used.tolist() == list(range(len(used)))
    assert len(used) == len(np.unique(np.concatenate(kept_labels)))
    # Renumbered, not mixed: one class for each label, over both modalities.
    pairs = set(zip(labels[classes >= 0].tolist(), classes[classes >= 0].tolist()))
    assert len(pairs) == len(used)


def test_numbers_without_gaps_lose_noise_alone():
    labels, modalities = np.array([0, 1, 2, -1, 0, 1, 3, -1]), np.repeat([0, 1], 4)
    assert released_classes(labels, modalities).tolist() == labels.tolist()
