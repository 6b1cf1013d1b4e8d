"""All waits of the host for the device that training may have; tests hold the code to this table.

A name is that of ``fake_cuda.DeviceWatch``. ``to cpu, later`` is a copy that is waited for when the
next step is under way, so that the device has something to do meanwhile.
"""

STEP: tuple[str, ...] = ()  # a forward pass, its losses, and the writes of the memories
LOSSES_OF_A_STEP = ("to cpu, later",)  # read one step late, at once in each log interval
STOP_OF_SEVERAL = ("to cpu, later",)  # whether to stop, of several processes, one step late too
END_OF_AN_EPOCH = ("to cpu, later",)  # sums of the terms, for the record
PASS_FOR_CONFIDENCES = ("to cpu",)  # `--variant released`: losses of all tracks, once an epoch
