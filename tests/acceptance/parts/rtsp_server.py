"""A camera to test with: an RTSP server that streams a clip in real time, behind a user name and a password.

Run it with an interpreter that has GStreamer's RTSP server (Debian: `/usr/bin/python3` and the packages
`gir1.2-gst-rtsp-server-1.0`, `gstreamer1.0-plugins-good`, `gstreamer1.0-plugins-bad`):

    rtsp_server.py CLIP.mp4 PORT USER PASSWORD [udp]     # rtsp://USER:PASSWORD@127.0.0.1:PORT/clip
"""

from __future__ import annotations

import sys

try:
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtsp", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GLib, Gst, GstRtsp, GstRtspServer
except (ImportError, ValueError) as error:
    print(f"no GStreamer RTSP server: {error}", file=sys.stderr)
    raise SystemExit(77) from error  # the usual "skip" status


def main(clip: str, port: str, user: str, password: str, transport: str = "") -> None:
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    server.set_auth(_basic_auth(user, password))

    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(
        f'( filesrc location="{clip}" ! qtdemux ! h264parse ! rtph264pay name=pay0 pt=96 config-interval=1 )'
    )
    if transport == "udp":
        factory.set_protocols(GstRtsp.RTSPLowerTrans.UDP)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role("viewer", "media.factory.access", True)
    permissions.add_permission_for_role("viewer", "media.factory.construct", True)
    factory.set_permissions(permissions)
    server.get_mount_points().add_factory("/clip", factory)
    if not server.attach(None):
        raise SystemExit(f"port {port} is taken")
    print("ready", flush=True)
    GLib.MainLoop().run()


def _basic_auth(user: str, password: str) -> GstRtspServer.RTSPAuth:
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.BASIC)
    return auth


if __name__ == "__main__":
    main(*sys.argv[1:])
