# bash completion for whctl, printed by `whctl completion bash`. What can stand where, it asks whctl.
_whctl() {
  local rest=${COMP_LINE:0:COMP_POINT} words=() piece='' trimmed i
  for ((i = 0; i <= COMP_CWORD; ++i)); do
    trimmed=${rest#"${rest%%[![:blank:]]*}"}
    piece=${COMP_WORDS[i]:0:${#trimmed}}
    if [[ $i == 0 || -z $trimmed || $trimmed != "$rest" ]]; then
      words+=("$piece")
    else
      words[${#words[@]} - 1]+=$piece
    fi
    rest=${trimmed#"$piece"}
  done
  local reply=() line value before=${words[${#words[@]} - 1]} quote=''
  before=${before%"$piece"}
  mapfile -t reply < <("${words[0]}" __complete --quoted "${words[@]:1}" 2>/dev/null)
  ((${#reply[@]} > 0)) || return 0
  local ending=${reply[${#reply[@]} - 1]}
  unset "reply[${#reply[@]} - 1]"
  COMPREPLY=()
  case $piece in
    \"* | \'*) quote=${piece:0:1} ;;
  esac
  for line in "${reply[@]}"; do
    value=${line%%$'\t'*}
    value=${value#"$before"}
    [[ -n $quote ]] || printf -v value '%q' "$value"
    COMPREPLY+=("$value")
  done
  if [[ $ending == :files ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$piece")
  fi
  return 0
}
complete -F _whctl whctl
