#!/bin/sh
# The provider simulators on the ports that simulators.env names; `init` made the certificates.
set -eu
exec python -m tests.simulators --host 0.0.0.0 --public-host localhost \
    --cert /certificates/server.pem --key /certificates/server.key \
    --admin-port 18085 --apns-port 18086 --apns-sandbox-port 18087 --fcm-port 18088 \
    --webpush-port 18089 --pushy-port 18090 --receiver-port 18091
