"""Features lose what their camera gives them."""

import pytest
import torch
from vireid.clustering.camera_mean import centre_by_camera


def test_equals_a_loop_over_the_cameras():
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(40, 6, generator=generator, dtype=torch.float64)
    cameras = torch.randint(0, 4, (40,), generator=generator) * 5 - 1
    wanted = features.clone()
    for camera in cameras.unique():
        wanted[cameras == camera] -= features[cameras == camera].mean(0)
    wanted = torch.nn.functional.normalize(wanted, dim=1)
    torch.testing.assert_close(centre_by_camera(features, cameras), wanted)


def test_an_offset_of_a_camera_vanishes():
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(30, 6, generator=generator)
    cameras = torch.arange(30) % 3
    offset = torch.randn(3, 6, generator=generator)[cameras]
    torch.testing.assert_close(
        centre_by_camera(features + offset, cameras), centre_by_camera(features, cameras)
    )


def test_what_equals_its_mean_has_no_direction():
    features = torch.tensor([[0.1, 0.7, 0.3]]).expand(7, 3)
    assert (centre_by_camera(features, torch.tensor([0, 1, 1, 2, 2, 2, 3])) == 0).all()


def test_half_precision_and_bad_shapes():
    assert centre_by_camera(torch.randn(4, 3).half(), torch.zeros(4)).dtype == torch.float32
    with pytest.raises(ValueError, match="cameras"):
        centre_by_camera(torch.randn(4, 3), torch.zeros(3))
