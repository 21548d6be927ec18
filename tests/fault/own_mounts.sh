# SPDX-License-Identifier: MIT
#
# To be read before anything else by a test that mounts, with all its arguments: in a mount namespace
# of its own no mount outlasts the test, whatever becomes of it.

if [ -z "${FAULT_UNSHARED-}" ]; then
	export FAULT_UNSHARED=1
	if unshare --mount true 2>/dev/null; then
		exec unshare --mount sh "$0" "$@"
	fi
fi
