"""One run over several processes (torchrun) and one batch in several parts.

Nothing is imported here, because commands ask ``processes`` who they are before torch is loaded:
``processes`` knows which process this is and who speaks, ``ranks`` what the processes exchange,
``split_batch.split_batches`` lets a network run its share of each batch, and ``batch_size`` says
what the effective batch is.
"""
