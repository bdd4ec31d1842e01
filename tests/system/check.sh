# shellcheck shell=bash
# For the tests to source: each fact is a name and a command that must succeed. Nothing stops at a failure; the runner counts the lines.

failures=0

# check NAME COMMAND…
check() {
    local name=$1 output
    shift
    if output=$("$@" 2>&1); then
        echo "ok   $name"
    else
        ((failures += 1))
        echo "FAIL $name"
        printf '     %s\n' "command: $*" "${output//$'\n'/$'\n     '}"
    fi
}

# refute NAME COMMAND…: it must fail.
refute() {
    local name=$1
    shift
    check "$name" not "$@"
}

not() {
    if "$@"; then return 1; fi
}

# equal EXPECTED COMMAND…: its output is exactly this.
equal() {
    local expected=$1 actual
    shift
    actual=$("$@") || true
    [[ $actual == "$expected" ]] || {
        printf 'expected: %s\ngot:      %s\n' "$expected" "$actual"
        return 1
    }
}

# exits STATUS COMMAND…
exits() {
    local expected=$1 actual=0
    shift
    "$@" || actual=$?
    ((actual == expected)) || {
        echo "expected exit status $expected, got $actual"
        return 1
    }
}

# silent COMMAND…: it succeeds and prints nothing.
silent() {
    local output
    if ! output=$("$@" 2>&1) || [[ -n $output ]]; then
        echo "$output"
        return 1
    fi
}

# prints TEXT COMMAND…: its output contains this.
prints() {
    local expected=$1 actual
    shift
    actual=$("$@") || true
    [[ $actual == *"$expected"* ]] || {
        printf 'expected to see: %s\ngot: %s\n' "$expected" "$actual"
        return 1
    }
}

# within SECONDS COMMAND…: it succeeds before this; its last words are shown if not.
within() {
    local end=$((SECONDS + $1)) output
    shift
    until output=$("$@" 2>&1); do
        if ((SECONDS >= end)); then
            echo "$output"
            return 1
        fi
        sleep 0.05
    done
}
