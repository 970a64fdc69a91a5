#!/bin/sh
# wnadmin-archive: an archive_command that never overwrites, and says "done" only when the file is on the disk.
#
#   wnadmin-archive [-t SECONDS] PATH DIR    copy the finished WAL file PATH into the folder DIR
#   wnadmin-archive [-t SECONDS] --try DIR   prove on scratch files that this works here, as this user
#
# In postgresql.conf:
#
#   archive_command = '/usr/local/bin/wnadmin-archive "%p" "/srv/wal archive"'
#
# The file is written under another name in DIR, flushed, and then linked to its own, which fails when that is taken;
# then the folder is flushed. So whatever happens in the middle, a file with the name of a WAL file is whole. One that
# is there already is success when it has the same content, as after a crash before the server heard of it, and a
# failure when it has not. What killed runs left is removed when their file succeeds.
#
# DIR must hold a file WNADMIN_ARCHIVE with the server's system identifier: without it the folder is not the archive,
# or not mounted; and a server whose segments carry another identifier is sent away.
#
# Ends with 0, 1 (failed), 2 (called wrongly) or 124 (took longer than SECONDS, 300 unless given); never with more than
# 125, since the server does not count those as failures. Needs cmp, dd, ln, mktemp, od, rm, sync and timeout, as
# coreutils with diffutils and busybox have them.

set -u
LC_ALL=C
PATH=${PATH:+$PATH:}/usr/local/bin:/usr/bin:/bin
export LC_ALL PATH
umask 077

say() {
    printf 'wnadmin-archive: %s\n' "$1" >&2
}

fail() {
    say "$1"
    exit 1
}

wrong() {
    say "$1; usage: wnadmin-archive [-t SECONDS] PATH DIR | --try DIR"
    exit 2
}

first_line() {
    printf '%s' "${1%%
*}"
}

# Flush a folder, or a file whose writer is gone.
flush() {
    said=$(sync "$1" 2>&1) || fail "$1 cannot be flushed to the disk: $(first_line "$said")"
}

# Whoever still writes under another name for this file is late: it is in the archive.
sweep() {
    for one in "$target/.$name".*.part; do
        [ ! -e "$one" ] || rm -f "$one"
    done
}

settle() {
    cmp -s "$source" "$final"
    case $? in
    0) ;;
    1) fail "$final is there with other content, and is not overwritten: see whose it is" ;;
    *) fail "$final is there and cannot be compared with $source" ;;
    esac
    flush "$final"
    flush "$target"
    sweep
}

# A segment's first page carries the identifier of its server, at byte 24.
require_own() {
    read -r owner 2>/dev/null <"$target/WNADMIN_ARCHIVE" ||
        fail "$target has no WNADMIN_ARCHIVE: it is not the archive, or it is not mounted"
    base=${name%.partial}
    case $base in
    *[!0-9A-F]*) return 0 ;;
    esac
    [ ${#base} -eq 24 ] || return 0
    system=$(od -A n -t d8 -j 24 -N 8 "$source") || fail "$source cannot be read"
    system=${system##* }
    [ "$system" = "$owner" ] || fail "$name is of the server $system, and $target is the archive of ${owner:-nobody}"
}

archive() {
    source=$1 target=$2 name=${1##*/} final=$2/${1##*/}
    case $name in
    '' | .* | -* | *[!0-9A-Za-z._-]*) wrong "$source is not the name of a WAL file" ;;
    esac
    [ -f "$source" ] || fail "there is no file $source"
    require_own
    if [ -e "$final" ] || [ -h "$final" ]; then
        settle
        return
    fi
    part=$target/.$name.$$.part
    # Nobody else's file is written to, not even one under this name.
    set -C
    true 2>/dev/null >"$part" || fail "cannot write in $target"
    set +C
    trap 'rm -f "$part"' EXIT
    said=$(dd if="$source" of="$part" bs=1048576 conv=fsync 2>&1) ||
        fail "$name cannot be written: $(first_line "${said:-ended by a signal}")"
    said=$(ln "$part" "$final" 2>&1) || {
        [ -e "$final" ] || fail "$name cannot get its name: $(first_line "$said")"
        settle
        return
    }
    flush "$target"
    sweep
}

expect() {
    "$0" --worker "$scratch/$1" "$target" 2>"$scratch/said"
    [ $? -eq "$2" ] || fail "$3: $(cat "$scratch/said")"
}

try() {
    scratch=$(mktemp -d) || fail "there is no room for a scratch folder"
    name=wnadmin-try.$$
    target=$1
    trap 'rm -rf "$scratch"; rm -f "$target/$name"' EXIT
    dd if=/dev/urandom of="$scratch/$name" bs=65536 count=16 2>/dev/null || fail "cannot write a scratch file"
    expect "$name" 0 "a file is not archived"
    cmp -s "$scratch/$name" "$target/$name" || fail "what was archived is not what was given"
    expect "$name" 0 "a file that is there already with the same content is not taken for archived"
    echo other >"$scratch/$name"
    expect "$name" 1 "a file that is there already with other content is no failure"
    expect nothing 1 "a file that is not there is no failure"
    echo "archived, compared, repeated and refused in $target as user $(id -un 2>/dev/null || id -u)"
}

case ${1-} in
--worker)
    trap 'exit 1' HUP INT QUIT TERM
    case $2 in
    --try) try "$3" ;;
    *) archive "$2" "$3" ;;
    esac
    exit 0
    ;;
esac

seconds=300
if [ "${1-}" = -t ]; then
    seconds=${2-}
    case $seconds in
    '' | *[!0-9]*) wrong "-t wants a number of seconds" ;;
    esac
    shift 2
fi
[ $# -eq 2 ] || wrong "it takes two arguments and was given $#"
# The server ends this script alone; what it started must not outlive it for long.
timeout -k 5 "$seconds" "$0" --worker "$1" "$2" &
worker=$!
trap 'kill "$worker" 2>/dev/null; wait "$worker"; exit 1' HUP INT QUIT TERM
wait "$worker"
code=$?
case $code in
124) say "${1##*/}: not done after $seconds s, and given up" ;;
137) say "${1##*/}: killed, by somebody or because it did not end after $seconds s" ;;
esac
[ "$code" -le 125 ] || code=1
exit "$code"
