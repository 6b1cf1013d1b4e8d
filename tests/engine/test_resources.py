"""What is free, from tables of the kernel as they look on machines and in containers."""

import os

import pytest
from vireid.engine.resources import (
    GIB,
    Room,
    disk_space,
    host_memory,
    shared_memory,
    size_text,
)

NO_LIMIT = 9223372036854771712  # what version 1 says


def lay(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@pytest.fixture
def machine(tmp_path):
    """A machine with 16 GiB, 12 of them available, and no control group."""
    proc, groups = tmp_path / "proc", tmp_path / "cgroup"
    groups.mkdir()
    tables = f"MemTotal: {16 * 2**20} kB\nMemFree: 1 kB\nMemAvailable: {12 * 2**20} kB\n"
    lay(proc, {"meminfo": tables})
    return proc, groups


def test_a_machine_without_groups(machine):
    assert host_memory(*machine) == Room(12 * GIB, 16 * GIB)


def test_a_system_that_tells_nothing(tmp_path):
    assert host_memory(tmp_path / "no", tmp_path / "nothing") is None


@pytest.mark.parametrize("mount", ["", "unified"])
def test_version_2_takes_the_tightest_group_above(machine, mount):
    proc, groups = machine
    lay(proc, {"self/cgroup": "0::/jobs/one\n"})
    top = groups / mount
    lay(
        top / "jobs",
        {
            "memory.max": str(6 * GIB),
            "memory.current": str(4 * GIB),
            "memory.stat": f"anon 1\nactive_file {GIB}\ninactive_file {GIB}\nslab 5\n",
            "one/memory.max": "max\n",
            "one/memory.current": str(2 * GIB),
        },
    )
    room = host_memory(proc, groups)
    # 4 GiB are held, of which 2 GiB are pages of files.
    assert (room.free, room.total) == (4 * GIB, 6 * GIB)
    assert "control group" in str(room)


def test_version_1_counts_what_is_below_too(machine):
    proc, groups = machine
    lay(proc, {"self/cgroup": "9:name=systemd:/x\n4:cpu,memory:/a/b\n0::/\n"})
    stat = f"active_file 0\ntotal_active_file {GIB}\ntotal_inactive_file 0\n"
    lay(
        groups / "memory",
        {
            "memory.limit_in_bytes": str(NO_LIMIT),
            "memory.usage_in_bytes": str(20 * GIB),
            "a/b/memory.limit_in_bytes": str(8 * GIB),
            "a/b/memory.usage_in_bytes": str(3 * GIB),
            "a/b/memory.stat": stat,
        },
    )
    assert host_memory(proc, groups).free == 6 * GIB


def test_the_hosts_path_in_a_container_leads_to_the_mount(machine):
    proc, groups = machine
    lay(proc, {"self/cgroup": "0::/docker/4f2a\n"})
    lay(groups, {"memory.max": str(GIB), "memory.current": str(2 * GIB)})
    # More is held than the limit allows: nothing is free, and no less than nothing.
    assert host_memory(proc, groups) == Room(0, GIB, "the limit of its control group")


def test_a_machine_with_less_than_its_group_allows(machine):
    proc, groups = machine
    lay(proc, {"self/cgroup": "0::/\n"})
    lay(groups, {"memory.max": str(64 * GIB), "memory.current": "0"})
    assert host_memory(proc, groups) == Room(12 * GIB, 16 * GIB)


def test_a_process_may_address_less_than_the_machine_has(machine, monkeypatch):
    resource = pytest.importorskip("resource")
    proc, groups = machine
    lay(proc, {"self/status": f"Name: python\nVmSize: {3 * 2**20} kB\n"})
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (8 * GIB, resource.RLIM_INFINITY))
    room = host_memory(proc, groups)
    assert (room.free, room.total) == (5 * GIB, 8 * GIB)
    assert "ulimit -v" in str(room)


def test_broken_tables_are_no_limit(machine):
    proc, groups = machine
    lay(proc, {"self/cgroup": "0::/\nnonsense\n"})
    lay(groups, {"memory.max": "a lot", "memory.current": "1", "memory.stat": "x"})
    assert host_memory(proc, groups).free == 12 * GIB


def test_disk_of_a_folder_that_is_not_there_yet(tmp_path):
    room = disk_space(tmp_path / "runs" / "one")
    usage = os.statvfs(tmp_path)
    assert room.total == usage.f_blocks * usage.f_frsize
    assert 0 < room.usable < room.free <= room.total


def test_shared_memory(tmp_path):
    assert shared_memory(tmp_path / "no") is None
    assert shared_memory(tmp_path).total == disk_space(tmp_path).total


def test_sizes_in_words():
    assert size_text(1.5 * GIB) == "1.5 GiB"
    assert size_text(3 * 2**20) == "3 MiB"
    assert str(Room(GIB, 2 * GIB)) == "1.0 GiB free of 2.0 GiB"
