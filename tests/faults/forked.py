"""What a fork of a process that has imported torch needs before anything else."""

import torch


def renew_threads() -> None:
    """Makes torch's pool of threads anew.

    It does not survive a fork. Its first user makes another; autograd's thread and the main one,
    both of them first, would end the process.
    """
    torch.set_num_threads(torch.get_num_threads())
