# shellcheck shell=bash
# shellcheck disable=SC2119,SC2120 # what may be given need not be
# For the tests to source after check.sh: a simulated SendGrid, the daemon with short waits, and questions to both.

readonly api_key="SG.canary-$RANDOM$RANDOM.sso-certd-system-test"
readonly okta=b0b98502-9408-4b24-9e3d-31ed7cb15312
readonly sendgrid_url=http://127.0.0.1:18082
readonly daemon_url=http://127.0.0.1:19466
# Far above what any step takes; only a failure waits this long.
readonly patience=30

work=$(mktemp -d)
# The path is judged, too.
chmod 755 "$work"
readonly state=$work/state source=$work/source log=$work/log requests=$work/requests
daemon='' keeper='' sendgrid=''

leave_stage() {
    [[ -z $daemon ]] || kill -KILL "$daemon" 2>/dev/null || true
    [[ -z $sendgrid ]] || kill -KILL "$sendgrid" 2>/dev/null || true
    wait 2>/dev/null || true
    findmnt --list --noheadings --output TARGET | awk -v below="$work/" 'index($0, below) == 1' | tac |
        xargs --no-run-if-empty umount --lazy
    rm -rf --one-file-system "$work"
}

# set_stage NAME…: makes these certificates, and what the daemon starts with.
set_stage() {
    local name
    mkdir "$work/made"
    for name in "$@"; do
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 365 -subj "/CN=$name" \
            -keyout /dev/null -out "$work/made/$name.pem" 2>/dev/null
        chmod 644 "$work/made/$name.pem"
    done
    install -m 600 /dev/stdin "$work/key" <<<"$api_key"
    cat >"$work/sso-certd.toml" <<END
state_directory = "$state"
[accounts.default]
api_key_file = "$work/key"
base_url = "$sendgrid_url"
[integrations.okta]
integration_id = "$okta"
directory = "$source"
[watch]
quiet = "50ms"
[schedule]
jitter = "0s"
[delivery]
settle = "300ms"
retry_first = "50ms"
retry_cap = "400ms"
[http]
listen = "${daemon_url#http://}"
END
}

# begin [ARGUMENT…]: an empty SendGrid, run with these arguments, no state, and a source with nothing in it.
begin() {
    rm -rf --one-file-system "$source"
    find "$state" -mindepth 1 -delete 2>/dev/null || true
    mkdir "$source"
    "$SIMULATOR" --port "${sendgrid_url##*:}" --api-key "$api_key" --integration "okta=$okta" "$@" >"$requests" 2>&1 &
    sendgrid=$!
    within "$patience" grep -q 'One line a request' "$requests"
}

# end: stops both; SendGrid says whether its client behaved, and only a broken rule is worth a line here.
end() {
    [[ -z $daemon ]] || stop_daemon || true
    kill -INT "$sendgrid"
    wait "$sendgrid" || true
    sendgrid=''
    no_rule_was_broken >/dev/null || check "no rule was broken" no_rule_was_broken
}

no_rule_was_broken() { grep -Fx 'No rule was broken.' "$requests" || { cat "$requests" && return 1; }; }

put() { cp "$work/made/$1.pem" "$source/"; }

# ── The daemon ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────

# launch [COMMAND…]: starts the daemon, run by a command.
launch() {
    : >"$work/pid"
    # A shell in between takes note of how it ends, and keeps to itself that it was killed.
    (
        "$@" "$SSO_CERTD" --config "$work/sso-certd.toml" run >"$log" 2>&1 &
        echo $! >"$work/pid"
        wait $! && status=0 || status=$?
        echo "$status" >"$work/status"
    ) 2>/dev/null &
    keeper=$!
    until [[ -s $work/pid ]]; do sleep 0.01; done
    daemon=$(<"$work/pid")
}

start_daemon() {
    launch
    within "$patience" grep -q Started "$log" || cat "$log"
}

# Its exit status is this one's.
stop_daemon() {
    kill -TERM "$daemon" 2>/dev/null || true
    await_end
}

kill_daemon() {
    kill -KILL "$daemon"
    await_end || true
}

await_end() {
    wait "$keeper" || true
    daemon=''
    return "$(<"$work/status")"
}

says() { grep -F -- "$1" "$log" || { cat "$log" && return 1; }; }

metric() { curl --silent --fail "$daemon_url/metrics" | sed -n "s/^$1\({[^}]*}\)\? //p"; }

# in_step COUNT: everything is compared, nothing is open, and so many certificates are trusted.
in_step() {
    equal "1 0 $1" echo "$(metric sso_certd_integration_in_step)" "$(metric sso_certd_integration_open_intents)" \
        "$(metric sso_certd_integration_trusted_certificates)"
}

# ── SendGrid and the ledger ─────────────────────────────────────────────────────────────────────────────────────────────────────

# fingerprint <PEM
fingerprint() { openssl x509 -noout -fingerprint -sha256 | sed 's/.*=//; s/://g' | tr A-F a-f; }

# rows_are NAME…: SendGrid has exactly one row of each, and no other.
rows_are() {
    local name rows expected
    rows=$(curl --silent --fail --header "Authorization: Bearer $api_key" --header 'Accept: application/json' \
        "$sendgrid_url/v3/sso/integrations/$okta/certificates" | jq --raw-output '.[].public_certificate | @base64' |
        while read -r certificate; do base64 --decode <<<"$certificate" | fingerprint; done | sort)
    expected=$(for name in "$@"; do fingerprint <"$work/made/$name.pem"; done | sort)
    equal "$expected" echo "$rows"
}

# posts NAME: how often it was sent.
posts() {
    local full
    full=$(fingerprint <"$work/made/$1.pem")
    grep -c "POST .* ${full:0:16} " "$requests"
}

# sent COUNT NAME…: each so often.
sent() {
    local count=$1 name
    shift
    for name in "$@"; do equal "$count" posts "$name" || return 1; done
}

# in_ledger SQL: what a copy of it says, whoever has it open.
in_ledger() {
    local copy status=0
    copy=$(mktemp -d -p "$work")
    cp "$state"/ledger.sqlite{,-wal} "$copy/" 2>/dev/null || true
    sqlite3 "$copy/ledger.sqlite" "$1" || status=$?
    rm -r "$copy"
    return "$status"
}

# The ledger had an intent for each POST that SendGrid saw.
every_post_had_an_intent() {
    local count short noted
    while read -r count short; do
        noted=$(in_ledger "SELECT count(*) FROM history WHERE what = 'accepted' AND fingerprint LIKE '$short%'")
        ((noted >= count)) || {
            echo "$short was sent $count times, and the ledger knows of $noted"
            return 1
        }
    done < <(sed -n 's|.*POST  */v3/sso/certificates \([0-9a-f]*\) .*|\1|p' "$requests" | sort | uniq -c)
}
