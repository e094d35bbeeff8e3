#!/usr/bin/env bash
# Answers many TCP peers from a shell: serve.sh [ARGUMENTS OF switchboard]
#
# stdout of switchboard is one line a message: the number, a tab, the text, and `more` where a long line goes on. The
# text has its backslashes, tabs and control characters as escapes (\\ \t \xNN), which /send takes back: so bytes are
# returned exactly. Each answer begins with a command and a number: whatever a peer says, it gives no orders.
coproc SERVER { exec switchboard --format tsv --quiet "$@"; }
pid=$SERVER_PID

while IFS=$'\t' read -r id text more <&"${SERVER[0]}"; do
    case $text in
        time) answer="/send @$id $(date -u +%H:%M:%S)\\n" ;;
        bye) answer="/kick $id good bye" ;;
        *) answer="/send @$id ${more:+(part) }you said $text\\n" ;;
    esac
    printf '%s\n' "$answer" >&"${SERVER[1]}"
done
wait "$pid"
