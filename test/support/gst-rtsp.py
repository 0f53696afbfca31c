"""A real RTSP server that nobody of this project wrote (gst-rtsp-server), for tests.

usage: gst-rtsp.py '{"user": "u", "password": "p", "auth": "digest", "port": 0, "width": 320, "height": 240,
                     "fps": 25, "kbps": 300, "gop": 25, "codec": "h264", "mounts": 1}'
Prints "port <n>" once it listens; ends when its standard input is closed.
"""
import json
import sys
import threading

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

options = {
    "user": None, "password": "", "auth": "digest", "port": 0, "width": 320, "height": 240,
    "fps": 25, "kbps": 300, "gop": 25, "codec": "h264", "mounts": 1,
}
options.update(json.loads(sys.argv[1]) if len(sys.argv) > 1 else {})
Gst.init(None)

encoders = {
    "h264": "x264enc tune=zerolatency speed-preset=ultrafast bitrate={kbps} key-int-max={gop} "
            "! video/x-h264,profile=baseline ! rtph264pay name=pay0 pt=96 config-interval=-1",
    "h265": "x265enc tune=zerolatency speed-preset=ultrafast bitrate={kbps} ! rtph265pay name=pay0 pt=96",
}
source = ("videotestsrc is-live=true pattern=ball ! video/x-raw,width={width},height={height},"
          "framerate={fps}/1 ! videoconvert ! ")
audio = "audiotestsrc is-live=true ! avenc_aac ! rtpmp4gpay name=pay0 pt=97"
launch = audio if options["codec"] == "audio" else source + encoders[options["codec"]]

server = GstRtspServer.RTSPServer.new()
server.set_address("127.0.0.1")
server.set_service(str(options["port"]))
factory = GstRtspServer.RTSPMediaFactory.new()
factory.set_launch("( " + launch.format(**options) + " )")
factory.set_shared(True)

if options["user"] is not None:
    auth = GstRtspServer.RTSPAuth.new()
    token = GstRtspServer.RTSPToken.new()
    token.set_string("media.factory.role", "user")
    if options["auth"] == "digest":
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest(options["user"], options["password"], token)
    else:
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(options["user"], options["password"]), token)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions.new()
    permissions.add_permission_for_role("user", "media.factory.access", True)
    permissions.add_permission_for_role("user", "media.factory.construct", True)
    factory.set_permissions(permissions)

for index in range(options["mounts"]):
    server.get_mount_points().add_factory("/cam%d" % index, factory)
server.attach(None)
print("port %d" % server.get_bound_port(), flush=True)

loop = GLib.MainLoop()


def until_closed():
    sys.stdin.read()
    loop.quit()


threading.Thread(target=until_closed, daemon=True).start()
loop.run()
