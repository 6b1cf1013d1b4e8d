"""Gradients of a split batch in float64; `torchrun split_cases.py OUT` runs them over processes."""

import sys
from pathlib import Path

import torch
from vireid.distributed import ranks
from vireid.distributed.processes import is_main
from vireid.distributed.split_batch import split_batches
from vireid.engine.runtime import Runtime
from vireid.losses import ContrastiveLoss
from vireid.models import AGW, M3ReID

CASES = [
    (network, bn_batch, accumulate)
    for network in ("m3reid", "agw", "agw, one infrared")
    for bn_batch, accumulate in ((None, 1), (2, 1), (None, 2))
] + [("agw, none infrared", None, 2)]
LABELS = torch.tensor([0, 0, 1, 1, 2, 2, 0, 1, 2])
MODALITIES = {
    "agw": torch.tensor([0, 1, 0, 1, 0, 1, 0, 1, 0]),
    "agw, one infrared": torch.tensor([0, 0, 0, 1, 0, 0, 0, 0, 0]),  # most shares hold none
    "agw, none infrared": torch.zeros(9, dtype=torch.int64),
}


def run(network, bn_batch, accumulate):
    """Loss, gradients and buffers after two batches of nine clips, an odd number."""
    torch.manual_seed(1)
    if network == "m3reid":
        model = M3ReID(3, backbone="thin-4").double()
        inputs = (torch.rand(9, 2, 3, 32, 16, dtype=torch.double),)
    else:
        model = AGW(3, backbone="thin-4").double()
        inputs = (torch.rand(9, 3, 32, 16, dtype=torch.double), MODALITIES[network])
    split_batches(model, bn_batch=bn_batch, accumulate=accumulate)
    model.train()
    for _ in range(2):
        output = model(*inputs)
        embeddings = output.embeddings
        if network == "m3reid":
            extra = sum(mask.square().mean() for mask in output.masks)
            extra = extra + output.frame_logits.square().mean()
        else:
            extra = output.pooled.square().mean() + output.logits.square().mean()
        loss = ContrastiveLoss(0.1)(embeddings, LABELS) + extra
        model.zero_grad()
        loss.backward()
        ranks.sum_gradients(model.parameters())
    found = {"loss": loss.detach(), "embeddings": embeddings.detach()}
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            found[name] = parameter.grad.clone()
    return found | {name: buffer.double() for name, buffer in model.named_buffers()}


if __name__ == "__main__":
    Runtime("cpu", "fp32")
    results = {str(case): run(*case) for case in CASES}
    if is_main():
        torch.save(results, Path(sys.argv[1]))
    ranks.leave()
