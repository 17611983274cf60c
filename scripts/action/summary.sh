# shellcheck shell=bash
# The page of the job: what was found, and the picture as text. GitHub shows no SVG there.

# Writes the summary: a heading, the lines of a file (one sentence each), and a report's verdict, cause and text.
write_summary() {
  local heading="$1" notes="$2" report="$3" text="$4"
  echo "### holdup probe: $heading"
  echo
  # What others wrote is shown as it is: each mark that Markdown or HTML could obey gets a backslash.
  jq --raw-input --raw-output 'def plain: gsub("(?<mark>[!-/:-@\\[-`{-~])"; "\\\(.mark)"); "- " + plain' <"$notes"
  if [ -s "$report" ]; then
    jq --raw-output '
      def plain: gsub("(?<mark>[!-/:-@\\[-`{-~])"; "\\\(.mark)");
      "", "| verdict | cause |", "|---|---|", "| \(.sentence | plain) | \(.cause.sentence | plain) |"' "$report"
  fi
  if [ -s "$text" ]; then
    local fence
    fence="$(fence_for "$text")"
    printf '\n%stext\n' "$fence"
    cat "$text"
    printf '%s\n' "$fence"
  fi
}

# A fence that is longer than any in the file.
fence_for() {
  local fence='```'
  while grep --quiet --fixed-strings -- "$fence" "$1"; do
    fence="$fence\`"
  done
  echo "$fence"
}
