# Shared by the scripts of this folder; sourced, never run.
# shellcheck shell=bash disable=SC2034

# Everything below reasons about absolute paths: the marker that tells our
# processes from other people's contains one.
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
RUN_DIR=$ROOT/.run
# Debian keeps servers in /usr/sbin, which an ordinary user's PATH may lack.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
# A caller that started us hands its clock over, so that progress lines agree.
STARTED_AT=${USHER_DEV_STARTED_AT:-${EPOCHREALTIME/[.,]/}}
PROG=${0##*/}
# Data that others could not read anyway lives in folders they may pass through:
# Postgres runs as a user of its own. Secret files are created with mode 600.
umask 022

elapsed() { # seconds since this script began, one decimal
    local us=$((${EPOCHREALTIME/[.,]/} - STARTED_AT))
    printf '%d.%d' $((us / 1000000)) $((us / 100000 % 10))
}

say() { printf '[%5s s] %s\n' "$(elapsed)" "$*" >&2; }

die() {
    printf '%s: %s\n' "$PROG" "$*" >&2
    exit 1
}

path_hash() { printf '%s' "$1" | sha256sum | cut -c1-10; }

random_hex() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }

show_tail() { # of a log, indented, so that a failure explains itself
    [ -s "$1" ] || return 0
    printf -- '--- last lines of %s\n' "${1#"$ROOT"/}" >&2
    tail -n "${2:-25}" "$1" | sed 's/^/    /' >&2
}

# ---- whose process is it -------------------------------------------------
# A pid file proves nothing: after a crash or a reboot its number may belong to
# anybody. What proves it is a variable in the process' own environment, which
# every child inherits. The file system root is compared as well, so that a
# chroot with a checkout at the same path is not taken for ours.

same_root() { [ "/proc/$1/root" -ef / ]; }

pids_with_env() { # NAME=VALUE -> pids, one a line; an exact match of the whole variable
    local f pid
    for f in $(grep -lzsxF -- "$1" /proc/[0-9]*/environ 2>/dev/null || true); do
        pid=${f#/proc/}
        pid=${pid%/environ}
        if [ "$pid" != $$ ] && [ "$pid" != "$BASHPID" ] && same_root "$pid"; then echo "$pid"; fi
    done
}

pid_has_env() { # pid NAME=VALUE
    [ -n "$1" ] && grep -qzsxF -- "$2" "/proc/$1/environ" 2>/dev/null && same_root "$1"
}

kill_pids() { # SIGNAL pid...   a process that ended meanwhile is no error
    local sig=$1 pid
    shift
    for pid in "$@"; do kill "-$sig" "$pid" 2>/dev/null || true; done
}

# ---- ports ---------------------------------------------------------------

port_listening() { # from the kernel's table; needs neither ss nor netstat
    local hex files=(/proc/net/tcp)
    hex=$(printf '%04X' "$1")
    [ -r /proc/net/tcp6 ] && files+=(/proc/net/tcp6)
    awk -v p=":$hex" '$4 == "0A" && substr($2, length($2) - 4) == p { hit = 1 } END { exit !hit }' "${files[@]}"
}

# Between choosing a port and binding it another checkout may choose the same
# one. A file that only one of them can create reserves it for a minute.
RESERVE_DIR=/var/tmp/usher-ports

reserve_port() { # port, for whom -> 0 when it is now theirs
    local f=$RESERVE_DIR/$1
    if mkdir "$RESERVE_DIR" 2>/dev/null; then chmod 1777 "$RESERVE_DIR"; fi
    if [ "$(cat "$f" 2>/dev/null)" = "$2" ]; then return 0; fi
    if [ -n "$(find "$f" -mmin +1 2>/dev/null)" ]; then rm -f "$f" 2>/dev/null || true; fi
    (set -C && echo "$2" >"$f") 2>/dev/null
}

release_ports() { # for whom, port...   once they are bound
    local who=$1 p
    shift
    for p in "$@"; do
        if [ "$(cat "$RESERVE_DIR/$p" 2>/dev/null)" = "$who" ]; then rm -f "$RESERVE_DIR/$p"; fi
    done
    rmdir "$RESERVE_DIR" 2>/dev/null || true
}

PICKED=
pick_port() { # preferred, for whom -> PICKED: that one, or the next nobody listens on
    local p
    for ((p = $1; p < $1 + 400; p++)); do
        if ! port_listening "$p" && reserve_port "$p" "$2"; then
            PICKED=$p
            return 0
        fi
    done
    die "no free port from $1 to $((p - 1))"
}

# ---- waiting -------------------------------------------------------------

wait_until() { # seconds command... ; polls ten times a second
    local end=$((${EPOCHREALTIME/[.,]/} + $1 * 1000000))
    shift
    until "$@"; do
        [ "${EPOCHREALTIME/[.,]/}" -lt "$end" ] || return 1
        sleep 0.1
    done
}

tcp_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

http_ok() { # host:port path -> 0 on status 200; bash alone, curl may be missing
    local status
    status=$(
        exec 2>/dev/null
        exec 3<>"/dev/tcp/${1%:*}/${1##*:}" || exit 1
        printf 'GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$2" "$1" >&3
        IFS= read -r -t 2 line <&3 && printf '%s' "$line"
        timeout 2 cat <&3 >/dev/null # to the end, or the server logs a broken connection
    ) || true
    [[ $status == HTTP/1.?" 200"* ]]
}

# A server must not hold the caller's lock, pipes or make's jobserver open.
close_fds() {
    local f fd
    for f in /proc/self/fd/*; do
        fd=${f##*/}
        [ "$fd" -gt 2 ] && eval "exec $fd>&-" 2>/dev/null
    done
    return 0
}

# `.run/<name>/env` has two authors: dev/stack (servers) and dev/run (services).
# Each owns one part; the file that others read is always both.
publish_env() { # stack folder
    local tmp=$1/env.tmp
    (umask 077 && cat "$1/env.stack" "$1/env.mesh" >"$tmp" 2>/dev/null) || true
    mv -f "$tmp" "$1/env"
}
