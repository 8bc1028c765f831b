#!/bin/sh
# make.sh EVRUN: how evrun-3c6c06c.db.gz was made, with the binary of commit 3c6c06c: the last one before there was retention. Its journal has
# each kind of event and its runs have each state; its daemon was killed while attempts ran.
set -eu
evrun=$1
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d)
cd "$dir"
sed -e 's/name: new-name, was: old-name/name: old-name/' -e 's/enabled: false, //' -e 's/every: 1h, emit/every: 1s, emit/' \
    -e 's/every: 1h, missed: skip, emit/every: 1s, missed: skip, emit/' -e '/^handlers:/a\
  - {name: leaver, on: job.left, do: exec, with: {shell: sleep 3600}, concurrency: 1}\
  - {name: former, on: job.former, do: exec, with: {shell: exit 1}, retry: {attempts: 3, backoff: 1h, max: 1h}}' "$here/wiring.yaml" >evrun.yaml
# until COMMAND...: waits until it succeeds.
until_ok() { n=0; until "$@" >out 2>&1; do n=$((n + 1)); [ $n -lt 200 ] || { cat out; exit 1; }; sleep 0.1; done; }
has() { "$evrun" runs list --handler "$1" --state "$2" -o json -n 0 | awk "END { exit !(NR >= $3) }"; }
$evrun serve >log 2>&1 &
daemon=$!
trap 'kill -KILL $daemon; rm -r "$dir"' EXIT
until_ok "$evrun" status

for i in $(seq 1 40); do
  "$evrun" emit user.registered --id "user-$i" --source /fixture --subject "user-$i" --ext tenant=acme -f "name=User $i" -f "email=user-$i@example.com" -q
done
"$evrun" emit user.registered --id user-1 --source /fixture -f name=Again -f email=again@example.com -q # known
for i in 1 2 3; do "$evrun" emit user.registered --id "invalid-$i" -f name=x -f "email=$i@example.invalid" -q; done
"$evrun" emit user.registered --id clash -f name=Clash -f email=USER-1@example.com -q # dead: the address is known
for i in 1 2 3 4 5; do "$evrun" emit job.print --id "print-$i" -d "{\"i\":$i}" -q; done
for i in 1 2 3 4 5 6; do "$evrun" emit job.fail --id "fail-$i" -d "{\"i\":$i}" -q; done
for i in 1 2; do "$evrun" emit job.far --id "far-$i" -q; "$evrun" emit job.left --id "left-$i" -q; done
for i in 1 2 3; do "$evrun" emit job.renamed --id "renamed-$i" -q; done
seq 1 1500 | sed 's/.*/{"specversion":"1.0","id":"bulk-&","source":"\/bulk","type":"job.bulk","data":{"n":&,"text":"line &"}}/' | "$evrun" emit --ndjson - -q >out
curl -sf --unix-socket evrun.sock http://evrun/v1/events -H 'ce-specversion: 1.0' -H 'ce-id: text-1' -H 'ce-source: /curl' -H 'ce-type: job.text' \
  -H 'content-type: text/plain' --data 'not JSON' >out
for i in 1 2; do "$evrun" emit job.former --id "former-$i" -q; done
for i in 1 2 3; do "$evrun" emit job.flurry --id "flurry-$i" -q; done
for i in 1 2 3 4; do "$evrun" emit job.burst --id "burst-$i" -d '{"key":"a"}' -q; done
until_ok has fail dead 6
until_ok has bulk succeeded 750
until_ok has print succeeded 5
until_ok has flurry succeeded 1
until_ok has former retrying 2
until_ok has far retrying 2
until_ok has announce succeeded 40

# Steps taken by people: single ones, and batches.
run() { "$evrun" runs list --handler "$1" --state "$2" -o json -n 1 | sed 's/.*"id":"\([^"]*\)".*/\1/'; }
"$evrun" runs drop "$(run fail dead)" -q
"$evrun" runs retry --handler fail --where 'data.i == 3' --yes -q
until_ok has fail dead 5
"$evrun" runs drop --handler fail --where 'data.i == 4' --yes -q
"$evrun" runs retry "$(run fail dead)" -F i:=60 --yes -q
"$evrun" replay --handler print --where 'data.i <= 2' --type job.print --yes -q
"$evrun" emit job.hang --id hang-1 -q
until_ok has hang running 1
"$evrun" runs cancel "$(run hang running)" -q || true
until_ok has hang cancelled 1
"$evrun" handlers pause paused --reason "until Monday" -q 2>out || "$evrun" handlers pause paused -q
"$evrun" schedules pause stopped -q
for i in 1 2 3; do "$evrun" emit job.paused --id "paused-$i" -q; done

# A second wiring: a handler renamed, one removed with events pending, one disabled. One is forgotten.
cp "$here/wiring.yaml" evrun.yaml
"$evrun" reload -q
"$evrun" handlers forget former -q
for i in 1 2 3; do "$evrun" emit job.disabled --id "disabled-$i" -q; "$evrun" emit job.left --id "after-$i" -q; done
"$evrun" emit job.renamed --id renamed-4 -q
until_ok has new-name succeeded 1
for i in 1 2; do "$evrun" emit job.due --id "due-$i" -q; "$evrun" emit job.hang --id "killed-$i" -q; done
for i in 5 6 7; do "$evrun" emit job.burst --id "burst-$i" -d '{"key":"b"}' -q; done
until_ok has due retrying 2
until_ok has hang running 2
kill -KILL $daemon; wait $daemon || true
for i in 1 2 3; do "$evrun" emit job.late --id "late-$i" -q; done # accepted without a daemon
sqlite3 evrun.db 'PRAGMA wal_checkpoint(TRUNCATE)' >out
ls -l
gzip -9 -n <evrun.db >"$here/evrun-3c6c06c.db.gz"
