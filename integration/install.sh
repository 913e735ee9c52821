#!/bin/sh
# Installs what the integration tests run, as far as it is missing, with apt-get
# (Debian, Ubuntu). Nothing that is installed already is touched, and a service
# that comes with a package is stopped: the tests start their own processes.
#
#	install.sh       what `.ci/run` needs
#	install.sh full  what `.ci/run full` needs, too
set -eu
case "$#:${1-}" in
0:) full= ;;
1:full) full=1 ;;
*)
	echo "usage: install.sh [full]" >&2
	exit 2
	;;
esac
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

have_symfony() {
	[ -e /usr/share/php/Symfony/Component/HttpKernel/autoload.php ] && [ -e /usr/share/php/Symfony/Component/Routing/autoload.php ]
}

have_laravel() {
	[ -e /usr/share/php/Illuminate/Routing/autoload.php ] && [ -e /usr/share/php/Illuminate/Events/autoload.php ]
}

have_jetty9() {
	[ -e /usr/share/java/jetty9-server.jar ] && [ -e /usr/share/java/jetty9-servlet.jar ] && [ -e /usr/share/java/servlet-api.jar ]
}

# have_php_module tells whether PHP has a module of this name.
have_php_module() {
	for module in /usr/lib/php/*/"$1".so; do
		[ -e "$module" ] && return 0
	done
	return 1
}

have_compiler() {
	have cc && [ -e /usr/include/stdio.h ]
}

have_postgresql() {
	for program in /usr/lib/postgresql/*/bin/postgres; do
		[ -x "$program" ] && return 0
	done
	return 1
}

# The services that exist, one a line.
services() {
	for service in php\*-fpm apache2 tomcat10 postgresql mariadb prometheus fail2ban nginx tt-rss; do
		# shellcheck disable=SC2086 # a pattern
		for file in /etc/init.d/$service /lib/systemd/system/$service.service; do
			if [ -e "$file" ]; then
				basename "$file" .service
			fi
		done
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
have qemu-x86_64 || missing="$missing qemu-user"
have_compiler || missing="$missing gcc libc6-dev"
have_symfony || missing="$missing php-symfony-http-kernel php-symfony-routing"
if [ -n "$full" ]; then
	have_laravel || missing="$missing php-laravel-framework"
	[ -e /usr/share/php/Slim/autoload.php ] || missing="$missing php-slim"
	have_jetty9 || missing="$missing libjetty9-java libservlet-api-java"
	have nginx || missing="$missing nginx"
	have_php_module pdo_pgsql || missing="$missing php-pgsql"
	have_php_module pdo_mysql || missing="$missing php-mysql"
	# The applications: their files only. The tests make the databases.
	[ -e /usr/share/tt-rss/www/index.php ] || missing="$missing dbconfig-no-thanks tt-rss"
	[ -e /usr/share/cacti/site/index.php ] || missing="$missing dbconfig-no-thanks cacti"
fi

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
