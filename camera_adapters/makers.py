"""Where the makers' cameras and recorders have their pictures: addresses without a login.

Sources: the makers' manuals as collected by Frigate (Hikvision, Dahua), Hikvision's ISAPI and Dahua's CGI documents, a
Chinese engineer's page on Uniview (its recorder's substream is inferred). Firmware differs: try before believing.
"""

from __future__ import annotations

from typing import Literal, get_args

from domain.errors import SettingsError

Maker = Literal["hikvision", "hikvision-old", "dahua", "uniview", "uniview-recorder", "onvif"]
MAKERS: tuple[Maker, ...] = get_args(Maker)


def camera_address(
    maker: Maker, host: str, *, channel: int = 1, sub: bool = False, snapshot: bool = False
) -> str:
    """The address of a channel's stream, or of its still picture.

    Args:
        host: with ``:port`` if it is not the usual one.
        channel: of a recorder, counted from 1; a camera has one. On old Hikvision recorders network channels begin at 33.
        sub: the small stream; quite enough where a person fills a quarter of the post.

    Raises:
        SettingsError: this maker has no such address, or the host or channel is impossible.

    >>> camera_address("hikvision", "10.0.0.8", channel=17)
    'rtsp://10.0.0.8/Streaming/Channels/1701'
    """
    host = host.strip()
    if not host or any(char in "/@?# " for char in host):
        raise SettingsError(
            f"--host: '{host}' is no host (like 10.0.0.8 or 10.0.0.8:8554), and holds no login"
        )
    if not 1 <= channel <= 999:
        raise SettingsError(f"--channel: must be 1 to 999, not {channel}")
    stream = 2 if sub else 1
    if maker == "onvif":
        query = f"profile={stream}" + ("&snapshot" if snapshot else "")
        return f"onvif://{host}/?{query}"
    if snapshot:
        stills = {
            "hikvision": f"/ISAPI/Streaming/channels/{channel}{stream:02d}/picture",
            "dahua": f"/cgi-bin/snapshot.cgi?channel={channel}",
        }
        if maker not in stills:
            raise SettingsError(
                f"--snapshot: no still-picture address of {maker} is known; its ONVIF has one (--maker onvif --snapshot)"
            )
        return f"http://{host}{stills[maker]}"
    paths = {
        "hikvision": f"/Streaming/Channels/{channel}{stream:02d}",
        "hikvision-old": f"/h264/ch{channel}/{'sub' if sub else 'main'}/av_stream",
        "dahua": f"/cam/realmonitor?channel={channel}&subtype={stream - 1}",
        "uniview": f"/media/video{stream}",
        "uniview-recorder": f"/unicast/c{channel}/s{stream - 1}/live",
    }
    return f"rtsp://{host}{paths[maker]}"
