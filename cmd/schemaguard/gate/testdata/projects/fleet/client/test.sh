# The client reads this field of the server's answer.
[ "$(cat client/harness)" = "$(cat server.txt)" ] && grep -q plate server.txt || { echo 'no plate'; exit 1; }
