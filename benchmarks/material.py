"""What is measured on: rendered rooms, and pairs mined from them; made once and kept."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from streaming.log.address import open_log
from streaming.log.protocol import read_all
from streaming.log.topics import PAIRS, topic_specs
from streaming.producer import ProduceConfig, mine_source
from streaming.sources.spec import parse_source
from streaming.sources.synthetic.spec import SyntheticSpec
from streaming.sources.synthetic.write import write_video

if TYPE_CHECKING:
    from streaming.log.protocol import Record

CACHE: Final = Path(__file__).parent / ".cache"
_ROOMS: Final = SyntheticSpec(seed=1, rooms=3, frames=900)


def rooms_video() -> Path:
    """Half a minute of walking through three rooms: 640x480, 30 frames/s, H.264."""
    path = CACHE / f"rooms-{_ROOMS.fingerprint()}.mp4"
    if not path.exists():
        sys.stderr.write(f"rendering {_ROOMS.frames} frames, once\n")
        write_video(_ROOMS, path)
    return path


def mined_records() -> list[Record]:
    """Records of the pairs that the default settings find in `rooms_video`, about a hundred."""
    config = ProduceConfig()
    CACHE.mkdir(exist_ok=True)
    # Other settings would add their pairs to those that are there.
    path = CACHE / f"pairs-{_ROOMS.fingerprint()}-{config.mining_fingerprint()}.db"
    with open_log(str(path)) as log:
        for spec in topic_specs():
            log.create_topic(spec)
        mine_source(parse_source(str(rooms_video())), log, config)
        return list(read_all(log, PAIRS))
