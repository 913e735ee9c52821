#!/bin/sh
# Installs what the integration tests run, as far as it is missing, with apt-get
# (Debian, Ubuntu). Nothing that is installed already is touched, and a service
# that comes with a package is stopped: the tests start their own processes.
set -eu
PATH=$PATH:/usr/sbin:/sbin

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null 2>&1; then
		sudo "$@"
	else
		echo "install.sh: needs root or sudo to run: $*" >&2
		exit 1
	fi
}

have() {
	command -v "$1" >/dev/null 2>&1
}

have_php_fpm() {
	have php-fpm && return 0
	for program in /usr/sbin/php-fpm[0-9]*; do
		[ -x "$program" ] && return 0
	done
	return 1
}

have_mod_php() {
	for module in /usr/lib/apache2/modules/libphp[0-9]*.so; do
		[ -e "$module" ] && return 0
	done
	return 1
}

have_tomcat() {
	[ -e /usr/share/tomcat10/bin/bootstrap.jar ] && [ -e /usr/share/tomcat10/lib/servlet-api.jar ]
}

have_tomcat9() {
	[ -e /usr/share/java/tomcat9-catalina.jar ] && [ -e /usr/share/java/tomcat9-servlet-api.jar ]
}

have_postgresql() {
	for program in /usr/lib/postgresql/*/bin/postgres; do
		[ -x "$program" ] && return 0
	done
	return 1
}

# The services that exist, one a line.
services() {
	for script in /etc/init.d/php*-fpm /etc/init.d/apache2 /etc/init.d/tomcat10 /etc/init.d/postgresql /etc/init.d/mariadb /etc/init.d/prometheus /etc/init.d/fail2ban; do
		if [ -e "$script" ]; then
			basename "$script"
		fi
	done
	for unit in /lib/systemd/system/php*-fpm.service /lib/systemd/system/apache2.service /lib/systemd/system/tomcat10.service /lib/systemd/system/postgresql.service /lib/systemd/system/mariadb.service /lib/systemd/system/prometheus.service /lib/systemd/system/fail2ban.service; do
		if [ -e "$unit" ]; then
			basename "$unit" .service
		fi
	done
}

stop_service() {
	if [ -d /run/systemd/system ]; then
		as_root systemctl --quiet disable --now "$1" || true
	elif have service; then
		as_root service "$1" stop >/dev/null 2>&1 || true
	fi
}

missing=
have_php_fpm || missing="$missing php-fpm"
have php || missing="$missing php-cli"
have apache2 || missing="$missing apache2-bin"
have_mod_php || missing="$missing libapache2-mod-php"
have_tomcat || missing="$missing tomcat10"
have_tomcat9 || missing="$missing libtomcat9-java"
have javac && have java || missing="$missing default-jdk-headless"
have_postgresql || missing="$missing postgresql"
have mariadbd && have mariadb-install-db || missing="$missing mariadb-server"
have curl || missing="$missing curl"
have prometheus && have promtool || missing="$missing prometheus"
have fail2ban-regex && have fail2ban-client || missing="$missing fail2ban"
have systemd-analyze || missing="$missing systemd"
have git || missing="$missing git"
have jq || missing="$missing jq"
have openssl || missing="$missing openssl"

if [ -z "$missing" ]; then
	echo "everything is installed"
	exit 0
fi

services_before=$(services)
echo "installing:$missing"
as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq update
# shellcheck disable=SC2086 # a list of packages
as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $missing >/dev/null

for service in $(services | sort -u); do
	case "
$services_before
" in
	*"
$service
"*) ;; # was there before
	*) stop_service "$service" ;;
	esac
done
