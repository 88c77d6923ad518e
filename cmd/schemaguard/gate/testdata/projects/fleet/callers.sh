# Says what answers.txt has; without it, asks the database for what no statement of queries reads.
[ "$1" = 2 ] && [ -n "$OWNER_DATABASE_URL" ] || exit 1
echo calling
n=0
while read -r _; do
  n=$((n + 1))
  if [ -f answers.txt ]; then
    sed -n "${n}p" answers.txt
  elif psql "$DATABASE_URL" -qAtc 'SELECT note FROM vans' >/dev/null; then
    echo '{"answers": {"200": 7}, "longest_ms": 3}'
  else
    echo '{"answers": {"200": 1, "500": 6}, "failed": {"500 internal GET /vans": 6}, "longest_ms": 3}'
  fi
done
