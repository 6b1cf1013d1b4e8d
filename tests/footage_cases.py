"""Small footage for tests: pictures whose pixels say where and when they are, and their tracks."""

import json
from pathlib import Path

import numpy as np
from PIL import Image
from vireid.footage.tracks import Row, gather
from vireid.footage.video import Picture

WIDTH, HEIGHT, RATE = 120, 90, 10
# Two people who pass without touching: left, top, width, height by track, a step each frame.
PEOPLE = {3: ((10, 20, 16, 40), 2), 7: ((90, 22, 18, 44), -1)}


def boxes(frames=12, people=PEOPLE):
    """Frame (from 0), track and box of each person in each frame."""
    return [
        (frame, track, (left + step * frame, top, wide, high))
        for frame in range(frames)
        for track, ((left, top, wide, high), step) in people.items()
    ]


def tracks(frames=12, people=PEOPLE):
    return gather([Row("", frame, track, box) for frame, track, box in boxes(frames, people)], 0)


def picture(frame, deep=False):
    """A colourful texture, another one in each frame."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    if deep:
        return (30_000 + 40 * ((x * 7 + y * 13 + frame * 11) % 97)).astype(np.uint16)
    parts = [(x * 5 + frame * 3) % 256, (y * 7 + x) % 256, (x * y + frame * 17) % 256]
    return np.stack(parts, axis=-1).astype(np.uint8)


def image_folder(path: Path, frames=12, deep=False):
    path.mkdir()
    for frame in range(frames):
        Image.fromarray(picture(frame, deep)).save(path / f"{frame}.png")
    return path


def video_file(path: Path, frames=12, deep=False, grey=False):
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=RATE)
        stream.width, stream.height = WIDTH, HEIGHT
        stream.pix_fmt = "gray16le" if deep else "bgr0"
        for frame in range(frames):
            pixels = picture(frame, deep)
            if grey:
                pixels = np.repeat(pixels[..., :1], 3, axis=-1)
            shown = av.VideoFrame.from_ndarray(pixels, format="gray16le" if deep else "rgb24")
            container.mux(stream.encode(shown))
        container.mux(stream.encode())
    return path


class FakeVideo:
    """Pictures without a file; `fail` is called before each one."""

    def __init__(self, path=Path("walk.mp4"), frames=12, deep=False, fail=lambda frame: None):
        self.path, self.frames, self.rate = path, frames, RATE
        self.deep, self.fail = deep, fail
        self.watch = lambda pixels: None

    def pictures(self, wanted):
        for frame in range(self.frames):
            self.fail(frame)
            if wanted(frame):
                pixels = picture(frame, self.deep)
                self.watch(pixels)
                yield Picture(frame, frame / self.rate, pixels)
                del pixels


def write_mot(path: Path, rows):
    lines = [f"{f + 1},{t},{','.join(map(str, box))},0.9,-1,-1,-1" for f, t, box in rows]
    path.write_text("\n".join(lines) + "\n")
    return path


def write_csv(path: Path, rows):
    lines = ["frame,track,left,top,right,bottom,confidence"]
    for frame, track, (left, top, wide, high) in rows:
        lines.append(f"{frame + 1},{track},{left},{top},{left + wide},{top + high},0.9")
    path.write_text("\n".join(lines) + "\n")
    return path


def write_cvat(path: Path, rows, size=(WIDTH, HEIGHT)):
    text = ["<annotations><version>1.1</version><meta><task><original_size>"]
    text.append(f"<width>{size[0]}</width><height>{size[1]}</height>")
    text.append("</original_size></task></meta>")
    for track in sorted({track for _, track, _ in rows}):
        text.append(f'<track id="{track}" label="person">')
        for frame, _, (left, top, wide, high) in [row for row in rows if row[1] == track]:
            text.append(
                f'<box frame="{frame}" outside="0" occluded="0" keyframe="1" xtl="{left}" '
                f'ytl="{top}" xbr="{left + wide}" ybr="{top + high}"/>'
            )
        text.append(
            f'<box frame="{frame + 1}" outside="1" occluded="0" keyframe="1" xtl="0" ytl="0" '
            'xbr="5" ybr="5"/></track>'
        )
    text.append('<track id="99" label="dog"><box frame="0" outside="0" occluded="0" ')
    text.append('xtl="1" ytl="1" xbr="9" ybr="9"/></track></annotations>')
    path.write_text("".join(text))
    return path


def write_coco(path: Path, rows, fps=RATE):
    frames = sorted({frame for frame, _, _ in rows})
    content = {
        "videos": [{"id": 1, "name": "walk.mp4", "fps": fps}],
        "images": [
            {"id": 100 + f, "video_id": 1, "frame_id": f, "width": WIDTH, "height": HEIGHT}
            for f in frames
        ],
        "annotations": [
            {"id": n, "image_id": 100 + f, "instance_id": t, "category_id": 1, "bbox": list(box)}
            for n, (f, t, box) in enumerate(rows)
        ],
        "categories": [{"id": 1, "name": "person"}],
    }
    path.write_text(json.dumps(content))
    return path


WRITERS = {"mot": write_mot, "csv": write_csv, "cvat": write_cvat, "coco": write_coco}
