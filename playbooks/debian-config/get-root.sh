#!/bin/sh
# A folder with the real configuration files of some Debian packages, to try debian-config.yaml on: get-root.sh FOLDER
# Nothing is installed: the packages are fetched and unpacked into the folder. Needs apt-get and dpkg-deb; no root.
set -eu
[ $# = 1 ] || { echo "usage: get-root.sh FOLDER" >&2; exit 64; }
mkdir -p "$1"
root=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -qq -o APT::Sandbox::User=root download base-files cloud-init fontconfig-config golang-github-containers-common \
  libpam-runtime login logrotate mariadb-common nginx-common openssh-server passwd php8.2-common procps rsyslog tomcat10
for deb in *.deb; do dpkg-deb -x "$deb" unpacked; done

# What the packages' own scripts would put in place.
cd unpacked
mkdir -p etc/php/8.2/cli etc/tomcat10 etc/cron.d etc/nginx/sites-enabled
cp usr/share/openssh/sshd_config etc/ssh/sshd_config
cp usr/lib/php/8.2/php.ini-production etc/php/8.2/cli/php.ini
cp usr/share/tomcat10/etc/*.* etc/tomcat10/
cp usr/share/containers/containers.conf usr/share/containers/seccomp.json etc/containers/
cp usr/share/base-files/motd etc/motd
cp usr/share/base-files/profile etc/profile
ln -s /etc/nginx/sites-available/default etc/nginx/sites-enabled/default
printf '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n' > etc/hosts

# A whole system brings its own etc; this puts the rest beside what is there.
cp -a etc "$root/"
mkdir -p "$root/srv"
