# Debian's packages, for the scripts that need some: to be sourced.

# install_system_packages PACKAGE...: installs them, or prints the command that does and returns 1.
install_system_packages() {
  local command="apt-get update && apt-get install --yes --no-install-recommends $*"
  if ! command -v apt-get > /dev/null; then
    echo "set-up: missing: $*. There is no apt-get here; install what this system calls them. On Debian: sudo sh -c '$command'" >&2
    return 1
  fi
  if [ "$(id -u)" -ne 0 ]; then
    echo "set-up: missing: $*. Run this, then the same command again: sudo sh -c '$command'" >&2
    return 1
  fi
  echo "set-up: installing system packages: $*" >&2
  {
    DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 update -qq &&
      DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 install -qq --yes --no-install-recommends "$@"
  } < /dev/null >&2
}
