#!/bin/sh
# Once per installation: the services' secrets, and certificates for the simulators.
set -eu
python /app/make_secrets.py
if [ ! -f /certificates/server.key ]; then
    python -c '
import pathlib
from tests.simulators.certificates import write_certificates
write_certificates(pathlib.Path("/certificates"))'
fi
