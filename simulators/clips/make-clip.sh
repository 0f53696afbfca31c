#!/bin/sh
# Makes the clips the simulated cameras play. They are committed: the simulator needs no ffmpeg.
# Run from any folder on Debian with ffmpeg, fonts-dejavu-core and fonts-noto-cjk:
#   sh simulators/clips/make-clip.sh
#
# counter-640x360.h264 and counter-dusk-640x360.h264: constrained baseline, 25 fps, 250 frames (10 s),
# an IDR with SPS and PPS every 25 frames, one slice a frame, a frame counter 000..249 and a van that
# crosses once a loop, so that frame 250 follows on frame 249 as frame 0.
# still-640x360.h264: one group of pictures of an unmoving grey picture. Its 24 P frames say only
# "every macroblock as before", so behind any IDR of the other two they hold that picture: a frozen
# camera. This works only while all three have the same SPS and PPS, which is checked at the end.
set -eu
cd "$(dirname "$0")"
mono=/usr/share/fonts/truetype/dejavu/DejaVuSansMono-Bold.ttf
cjk=/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc

encode() { # frames file
  echo "-frames:v $1 -c:v libx264 -profile:v baseline -level 3.0 -pix_fmt yuv420p -preset veryslow
    -crf 27 -bf 0 -g 25 -keyint_min 25 -sc_threshold 0
    -x264-params repeat-headers=1:threads=1:slices=1:scenecut=0:weightp=0:cabac=0:ref=1:mbtree=0
    -bsf:v filter_units=remove_types=6 -f h264 $2"
}

box() { echo "drawbox=x=$1:y=$2:w=$3:h=$4:c=$5:t=fill"; }

scene() { # sky ground wall roof glass
  echo "color=c=$1:s=640x360:r=25:d=10,format=yuv420p,$(box 0 210 640 150 "$2"),$(box 0 262 640 46 0x55585c),$(
    box 60 130 130 110 "$3"),$(box 50 112 150 20 "$4"),$(box 105 180 36 60 0x5a3d2b),$(
    box 250 150 110 90 "$3"),$(box 240 134 130 18 "$4"),$(box 275 172 26 24 "$5"),$(
    box 315 172 26 24 "$5"),$(box 560 90 6 170 0x3a3f45),$(box 530 86 36 7 0x3a3f45),$(
    box 530 93 16 6 "$5")"
}

clip() { # scene file
  # shellcheck disable=SC2046
  ffmpeg -v error -y -f lavfi -i "$1" \
    -f lavfi -i 'color=c=0xd8433b:s=72x30:r=25:d=10' \
    -f lavfi -i 'color=c=0xe8e2d0:s=8x20:r=25:d=10' \
    -filter_complex "[0][1]overlay=x='-72+mod(n\,250)*712/250':y=266[van];
      [van][2]overlay=x='640-mod(n\,250)*648/250':y=284,
      drawtext=fontfile=$cjk:text='模拟画面 SIMULATED':x=14:y=8:fontsize=22:fontcolor=white:box=1:boxcolor=black@0.55:boxborderw=6,
      drawtext=fontfile=$mono:text='%{eif\:n\:d\:3}':x=w-tw-16:y=8:fontsize=64:fontcolor=white:box=1:boxcolor=black@0.55:boxborderw=8" \
    $(encode 250 "$2")
}

clip "$(scene 0x9fc3de 0x7d9a5f 0xd9d3c7 0x4d5661 0x2e4a66)" counter-640x360.h264
clip "$(scene 0x1b2740 0x27352c 0x6b6560 0x2b2f36 0xffd98a)" counter-dusk-640x360.h264
# shellcheck disable=SC2046
ffmpeg -v error -y -f lavfi -i 'color=c=gray:s=640x360:r=25:d=1' $(encode 25 still-640x360.h264)

# SPS and PPS are the first two NAL units of each file and end before byte 37.
headers() { head -c 37 "$1" | od -An -tx1; }
for file in counter-dusk-640x360.h264 still-640x360.h264; do
  [ "$(headers "$file")" = "$(headers counter-640x360.h264)" ] || {
    echo "$file: its SPS or PPS differs from counter-640x360.h264's" >&2
    exit 1
  }
done
ls -l ./*.h264
