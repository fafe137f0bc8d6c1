import cv2
import numpy as np
import pytest

from streaming.schema.jpeg import JpegError, read_jpeg_header


def jpeg_of(height, width, *, progressive=0, channels=3):
    image = np.zeros((height, width, channels), np.uint8)
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_PROGRESSIVE, progressive])[1].tobytes()


@pytest.mark.parametrize("progressive", [0, 1])
@pytest.mark.parametrize("channels", [1, 3])
def test_is_read_of_what_encoders_write(progressive, channels):
    header = read_jpeg_header(jpeg_of(48, 80, progressive=progressive, channels=channels))
    assert (header.height, header.width, header.components) == (48, 80, channels)


def test_passes_over_metadata_with_a_picture_of_its_own():
    jpeg = jpeg_of(48, 80)
    thumbnail = b"Exif\x00\x00" + jpeg_of(8, 8)
    segment = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    header = read_jpeg_header(jpeg[:2] + segment + jpeg[2:])
    assert (header.height, header.width) == (48, 80)


def test_refuses_many_scans():
    jpeg = jpeg_of(48, 80, progressive=1)
    scan_start = jpeg.rindex(b"\xff\xda")
    scan = jpeg[scan_start:-2]
    with pytest.raises(JpegError, match="more than 16 scans"):
        read_jpeg_header(jpeg[:-2] + 20 * scan + jpeg[-2:])


def test_refuses_a_second_frame_header():
    jpeg = jpeg_of(48, 80)
    start = jpeg.index(b"\xff\xc0")
    frame = jpeg[start : start + 19]
    with pytest.raises(JpegError, match="two frame headers"):
        read_jpeg_header(jpeg[:start] + frame + jpeg[start:])


@pytest.mark.parametrize("process", [0xC3, 0xC5, 0xC9, 0xCF])
def test_refuses_what_decoders_do_not_know(process):
    jpeg = jpeg_of(48, 80).replace(b"\xff\xc0", bytes([0xFF, process]))
    with pytest.raises(JpegError, match=f"process {process:02X}"):
        read_jpeg_header(jpeg)


@pytest.mark.parametrize("jpeg", [b"\xff\xd8\xff\xd9", b"\xff\xd8\xff\xe0\x00\x01\xff\xd9"])
def test_refuses_what_has_no_picture(jpeg):
    with pytest.raises(JpegError):
        read_jpeg_header(jpeg)
