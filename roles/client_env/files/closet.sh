#!/bin/sh
# Managed by closet.inference. The command `closet`; `closet help` lists its subcommands.
# It needs only programs of macOS and Debian: sh, curl and awk. The key goes to curl through a pipe, so
# no process list shows it, and bypasses proxies, which would see it too.
set -u

url=${CLOSET_URL:-}
name=${CLOSET_NAME:-the closet}
model=${CLOSET_MODEL:-}
ours=/usr/local/bin/opencode
host=${url#*://}
host=${host%%/*}
# a long prompt on a slow Mac takes minutes before the first byte
patience_s=900

say() { printf 'closet: %s\n' "$*" >&2; }

usage() {
  cat <<'END'
closet url              where it is
closet models           what it serves
closet health           whether it answers, and takes this laptop's key
closet ask "QUESTION"   asks the model that chats; -m MODEL asks another one,
                        and - reads more from the input: git diff | closet ask "Review this:" -
closet env              sets OPENAI_BASE_URL, OPENAI_API_BASE and OPENAI_API_KEY in this shell only;
                        a shell that does not read ~/.config/closet/env.sh is told what to run
END
}

# Only the calling account's key: HOME can be another account's after sudo or su, and
# is missing in some schedulers.
find_key() {
  key_file=${HOME:-}/.config/closet/key
  [ -O "$key_file" ] && return
  account=$(id -un)
  case $account in
    '' | -* | *[!A-Za-z0-9._-]*) return ;;
  esac
  home=
  eval "home=~$account"
  [ ! -O "$home/.config/closet/key" ] || key_file=$home/.config/closet/key
}

# The header with the key, for `curl -H @-`; printf is a shell builtin, so no process shows the key.
header() { printf 'Authorization: Bearer %s\n' "$key"; }

read_key() {
  if [ -e "$key_file" ] && [ ! -O "$key_file" ]; then
    say "$key_file does not belong to $(id -un), who asks: call closet without sudo, as the owner of that key"
    return 1
  fi
  if ! { IFS= read -r key <"$key_file"; } 2>/dev/null || [ -z "$key" ]; then
    say "there is no key in $key_file: run site.yml for this laptop (client_env_user names its account)"
    return 1
  fi
}

# explain CURL STATUS TEXT: print the reason of a missing answer. Returns 0 when there is an answer.
explain() {
  case $1 in
    0) ;;
    6) say "the name $host does not resolve here. Is this laptop in the network of $name?" ;;
    7) say "$name does not take connections at $host: it is off, starting, or elsewhere" ;;
    28) say "$name did not answer in time at $host: it is off, asleep, or not reachable from here" ;;
    *) say "the connection to $name at $host broke (curl ended with $1)" ;;
  esac
  [ "$1" = 0 ] || return 1
  case $2 in
    200) return 0 ;;
    401 | 403)
      say "$name refuses the key of this laptop ($key_file): it was revoked or replaced." \
        "Run site.yml for this laptop, or ask whoever looks after $name"
      ;;
    *) say "$name answered with status $2: $(printf '%.300s' "$3")" ;;
  esac
  return 1
}

# Gets the models. Sets `ids`, one a line, and `seconds`.
look() {
  read_key || return 1
  answer=$(header | curl -sS --noproxy '*' -H @- --connect-timeout 5 --max-time 20 \
    -w '\n%{exitcode} %{http_code} %{time_total}' "$url/models" 2>/dev/null)
  end=${answer##*
}
  curl_code=${end%% *} rest=${end#* }
  seconds=${rest#* }
  explain "$curl_code" "${rest%% *}" "${answer%
*}" || return 1
  ids=$(printf '%s\n' "$answer" | LC_ALL=C awk '{
    while (match($0, /"id"[ ]*:[ ]*"[^"]*"/)) {
      id = substr($0, RSTART, RLENGTH - 1)
      sub(/^"id"[ ]*:[ ]*"/, "", id)
      print id
      $0 = substr($0, RSTART + RLENGTH)
    }
  }')
}

# Warns when another opencode comes first in the caller's PATH, or none is found there.
look_for_opencode() {
  [ -x "$ours" ] || return 0
  found=$(command -v opencode) || found=
  # shellcheck disable=SC3013 # sh of macOS and Debian supports it
  [ "$found" -ef "$ours" ] && return
  version=$(sed -n 's:.*/opt/closet/opencode/\([^/]*\)/.*:\1:p' "$ours" 2>/dev/null | head -n 1)
  case $found in
    /*) ;;
    *)
      say "opencode is not in your PATH: add /usr/local/bin to it, or run $ours${version:+ ($version)}"
      return
      ;;
  esac
  other=$("$found" --version </dev/null 2>/dev/null | head -n 1)
  as_root=
  [ -w "${found%/*}" ] || as_root='sudo '
  say "opencode is $found${other:+ ($other)} here, before the closet's, $ours${version:+ ($version)}:" \
    "the lock was not tried with it. Remove it with what installed it, or run" \
    "\`${as_root}mv -n '$found' '$found.other'\`"
}

health() {
  look_for_opencode
  look || return 1
  printf '%s answers at %s in %s s and takes the key of this laptop.\n' "$name" "$url" "$seconds"
  printf 'It serves %s.\n' "$(printf '%s\n' "$ids" | awk '{ printf "%s%s", sep, $0; sep = ", " }')"
  if [ -n "$model" ] && ! printf '%s\n' "$ids" | grep -Fqx -- "$model"; then
    say "$model, which \`closet ask\` asks, is not among them: run site.yml for this laptop"
    return 1
  fi
}

# The input as the content of a JSON string.
json() {
  LC_ALL=C awk 'BEGIN {
    for (i = 1; i < 32; i++) code[sprintf("%c", i)] = sprintf("\\u%04x", i)
    code["\\"] = "\\\\"
    code["\""] = "\\\""
  }
  NR > 1 { printf "%s", "\\n" }
  {
    size = length($0)
    for (i = 1; i <= size; i++) {
      c = substr($0, i, 1)
      printf "%s", (c in code) ? code[c] : c
    }
  }'
}

# Reads a stream of events. Prints a line for each piece of text, "+" and the piece in the form of
# `printf %b`, then "=" with the result and the remaining text.
pieces() {
  # otherwise mawk waits for a full buffer, and so does the reader
  eager=
  case $(awk -W version </dev/null 2>/dev/null) in mawk*) eager='-W interactive' ;; esac
  # shellcheck disable=SC2086 # two words, or none
  LC_ALL=C awk $eager '
  function hex(text, i, sum) {
    for (i = 1; i <= 4; i++) sum = sum * 16 + index("0123456789abcdef", tolower(substr(text, i, 1))) - 1
    return sum
  }
  function byte(n) { return sprintf("\\0%03o", n) }
  function utf8(p) {
    if (p < 128) return byte(p)
    if (p < 2048) return byte(192 + int(p / 64)) byte(128 + p % 64)
    if (p < 65536) return byte(224 + int(p / 4096)) byte(128 + int(p / 64) % 64) byte(128 + p % 64)
    return byte(240 + int(p / 262144)) byte(128 + int(p / 4096) % 64) \
      byte(128 + int(p / 64) % 64) byte(128 + p % 64)
  }
  function piece(s, out, e, point, low) {
    while (s != "" && substr(s, 1, 1) != "\"") {
      if (match(s, /^[^"\\]+/)) {
        out = out substr(s, 1, RLENGTH)
        s = substr(s, RLENGTH + 1)
        continue
      }
      e = substr(s, 2, 1)
      s = substr(s, 3)
      if (e == "u") {
        point = hex(s)
        s = substr(s, 5)
        if (point >= 55296 && point < 56320 && substr(s, 1, 2) == "\\u") {
          low = hex(substr(s, 3))
          point = 65536 + (point - 55296) * 1024 + low - 56320
          s = substr(s, 7)
        }
        out = out utf8(point)
      } else if (e == "n" || e == "t" || e == "r" || e == "\\") out = out "\\" e
      else if (e != "b" && e != "f") out = out e
    }
    return out
  }
  { sub(/\r$/, "") }
  /^=[0-9]+ [0-9]+$/ { end = $0; next }
  /^data:/ && match($0, /"content"[ ]*:[ ]*"/) {
    print "+" piece(substr($0, RSTART + RLENGTH))
    fflush()
    next
  }
  /^data:/ && !/"error"/ { next }
  { other = other $0 }
  END { print end " " other }'
}

# Prints the pieces as they arrive, then the result.
show() {
  seen=
  while IFS= read -r line; do
    case $line in
      +*)
        printf '%b' "${line#+}"
        seen=yes
        ;;
      =*)
        [ -z "$seen" ] || printf '\n'
        line=${line#=} rest=${line#* }
        explain "${line%% *}" "${rest%% *}" "${rest#* }" || return 1
        [ -n "$seen" ] || { say "$name sent an empty answer: ${rest#* }" && return 1; }
        return 0
        ;;
    esac
  done
  say "the answer of $name broke off"
  return 1
}

ask() {
  question=
  while [ $# -gt 0 ]; do
    case $1 in
      -m)
        [ $# -gt 1 ] || { say "-m needs the name of a model; closet models lists them" && return 2; }
        model=$2
        shift
        ;;
      -) question="$question${question:+
}$(cat)" ;;
      *) question="$question${question:+ }$1" ;;
    esac
    shift
  done
  if [ -z "$question" ]; then
    say "what is the question? closet ask \"Why is the sky blue?\""
    return 2
  fi
  read_key || return 1
  {
    printf '{"model":"%s","stream":true,' "$(printf '%s' "$model" | json)"
    printf '"messages":[{"role":"user","content":"'
    printf '%s' "$question" | json
    printf '"}]}'
  } | {
    header | curl -sSN --noproxy '*' -H @- -H 'Content-Type: application/json' --data-binary @/dev/fd/3 \
      --connect-timeout 5 --speed-limit 1 --speed-time "$patience_s" \
      -w '\n=%{exitcode} %{http_code}\n' "$url/chat/completions" 2>/dev/null
  } 3<&0 | pieces | show
}

# For a shell that has not read env.sh: lines to evaluate, without the key.
environment() {
  if [ -t 1 ]; then
    # shellcheck disable=SC2016 # shown as they are
    case ${SHELL:-} in
      *csh) say 'to have this in your shell, run: eval `closet env`' ;;
      *fish) say 'to have this in your shell, run: closet env | source' ;;
      *) say 'to have this in your shell, run: eval "$(closet env)"' ;;
    esac
    return 1
  fi
  case ${SHELL:-} in
    *csh)
      printf "setenv OPENAI_BASE_URL '%s'; setenv OPENAI_API_BASE '%s'; " "$url" "$url"
      printf "setenv OPENAI_API_KEY \"\`cat '%s'\`\";\n" "$key_file"
      ;;
    *fish)
      printf "set -gx OPENAI_BASE_URL '%s'\nset -gx OPENAI_API_BASE '%s'\n" "$url" "$url"
      printf "set -gx OPENAI_API_KEY (cat '%s')\n" "$key_file"
      ;;
    *)
      printf "export OPENAI_BASE_URL='%s' OPENAI_API_BASE='%s'\n" "$url" "$url"
      printf "OPENAI_API_KEY=\$(cat '%s') && export OPENAI_API_KEY\n" "$key_file"
      ;;
  esac
}

find_key
if [ -z "$url" ]; then
  say "CLOSET_URL is not set: open a new shell, or read ~/.config/closet/env.sh"
  exit 1
fi
case ${1:-help} in
  url) printf '%s\n' "$url" ;;
  models) look && printf '%s\n' "$ids" ;;
  health) health ;;
  env) environment ;;
  ask)
    shift
    ask "$@"
    ;;
  help | -h | --help) usage ;;
  *)
    say "there is no 'closet $1'"
    usage >&2
    exit 2
    ;;
esac
