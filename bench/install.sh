#!/bin/sh
# Installs what `bench process` runs, as far as it is missing, with apt-get (Debian,
# Ubuntu). A service that comes with a package is stopped: the measurement starts its
# own processes.
set -eu
PATH=$PATH:/usr/sbin:/sbin

have() { command -v "$1" >/dev/null 2>&1; }
have_php_fpm() {
	have php-fpm && return 0
	for program in /usr/sbin/php-fpm[0-9]*; do
		[ -x "$program" ] && return 0
	done
	return 1
}

missing=
have wrk || missing="$missing wrk"
have nginx || missing="$missing nginx"
have_php_fpm || missing="$missing php-fpm"
[ -n "$missing" ] || exit 0

sudo=
[ "$(id -u)" -eq 0 ] || sudo=sudo
echo "installing:$missing" >&2
$sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq update
# shellcheck disable=SC2086 # a list of packages
$sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $missing >/dev/null
case "$missing" in
*nginx* | *php-fpm*)
	if [ -d /run/systemd/system ]; then
		for unit in /lib/systemd/system/nginx.service /lib/systemd/system/php*-fpm.service; do
			case "$missing" in
			*nginx*) ;;
			*) [ "${unit%nginx.service}" = "$unit" ] || continue ;;
			esac
			case "$missing" in
			*php-fpm*) ;;
			*) [ "${unit%-fpm.service}" = "$unit" ] || continue ;;
			esac
			[ ! -e "$unit" ] || $sudo systemctl --quiet disable --now "$(basename "$unit")" || true
		done
	fi
	;;
esac
