"""Compiled networks: the same values and names; a missing compiler is one line."""

import pytest
import torch
from vireid.datasets.track import Modality
from vireid.engine import compiling
from vireid.models import AGW, M3ReID

CPU = torch.device("cpu")


def values(model, clips):
    if isinstance(model, M3ReID):
        return model(clips).embeddings
    modalities = torch.arange(len(clips)) % 2
    return model(clips[:, 0], modalities).embeddings


# torch warns about itself while it traces.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")
@pytest.mark.parametrize("kind, sizes", [(M3ReID, (4, 2)), (AGW, (4,))])
def test_same_values_gradients_and_names(kind, sizes, monkeypatch):
    # The backend that only traces: what is traced and when, without minutes of a C++ compiler.
    monkeypatch.setattr(compiling, "fault", lambda device: None)
    torch.manual_seed(0)
    model = kind(3, backbone="thin-4").to(memory_format=torch.channels_last)
    names = list(model.state_dict())
    batches = [torch.randn(size, 2, 3, 32, 16) for size in sizes]
    plain = [values(model, batch) for batch in batches]
    plain[0].square().sum().backward()
    wanted = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    calls = []
    original = torch.nn.Module.compile
    monkeypatch.setattr(
        torch.nn.Module,
        "compile",
        lambda part: calls.append(part) or original(part, backend="aot_eager"),
    )
    assert compiling.compile_network(model, CPU) is None
    assert model.trunk in calls
    assert list(model.state_dict()) == names
    model.zero_grad(set_to_none=True)
    found = [values(model, batch) for batch in batches]
    for one, other in zip(found, plain):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)
    found[0].square().sum().backward()
    for name, gradient in wanted.items():
        torch.testing.assert_close(
            model.get_parameter(name).grad, gradient, atol=1e-2, rtol=1e-2, msg=name
        )


def test_without_a_compiler_one_line_says_so(monkeypatch):
    def broken(function, **options):
        def run(*values):
            raise RuntimeError("no g++ anywhere\nand a page of commands")

        return run

    compiling.fault.cache_clear()
    monkeypatch.setattr(torch, "compile", broken)
    model = AGW(3, backbone="thin-4").eval()
    said = compiling.compile_network(model, CPU)
    compiling.fault.cache_clear()
    assert said == ("--compile needs a C++ compiler and goes on without compiling: no g++ anywhere")
    with torch.no_grad():
        assert model(torch.randn(1, 3, 32, 16), Modality.VISIBLE).shape == (1, 128)
