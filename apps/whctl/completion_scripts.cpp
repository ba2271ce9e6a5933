#include "completion_scripts.hpp"

#include <algorithm>
#include <array>

namespace webhookd::whctl {

namespace {

// Readline splits words at characters like : = and @, too: pieces that touch are one word here.
constexpr std::string_view bash_script =
    R"BASH(# bash completion for whctl, printed by `whctl completion bash`. What can stand where, it asks whctl.
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
)BASH";

constexpr std::string_view zsh_script = R"ZSH(#compdef whctl
# zsh completion for whctl, printed by `whctl completion zsh`. What can stand where, it asks whctl.
_whctl() {
  local line ending
  local -a reply values shown given
  given=("${(@Q)words[2,CURRENT]}")
  (( CURRENT > $#words )) && given+=('')
  reply=("${(@f)$("${(Q)words[1]}" __complete "${given[@]}" 2>/dev/null)}")
  ending=$reply[-1]
  reply=("${(@)reply[1,-2]}")
  if [[ $ending == :files ]]; then
    compset -P '@'
    _files
    return
  fi
  for line in "${reply[@]}"; do
    [[ -n $line ]] || continue
    values+=("${line%%$'\t'*}")
    if [[ $line == *$'\t'?* ]]; then
      shown+=("${line%%$'\t'*}  -- ${line#*$'\t'}")
    else
      shown+=("${line%%$'\t'*}")
    fi
  done
  (( $#values )) || return 1
  compadd -l -d shown -- "${values[@]}"
}
if [[ ${funcstack[1]} == _whctl ]]; then
  _whctl "$@"
else
  compdef _whctl whctl
fi
)ZSH";

constexpr std::string_view fish_script =
    R"FISH(# fish completion for whctl, printed by `whctl completion fish`. What can stand where, it asks whctl.
function __whctl_offers
    set -l words (commandline -opc)
    set -l current (commandline -ct | string unescape)
    set -l reply ($words[1] __complete $words[2..] "$current" 2>/dev/null)
    set -q reply[1]; or return
    if test "$reply[-1]" = :files
        if string match -q '@*' -- "$current"
            __fish_complete_path (string sub -s 2 -- "$current") | string replace -r '^' '@'
        else
            __fish_complete_path "$current"
        end
        return
    end
    set -q reply[2]; and printf '%s\n' $reply[1..-2]
end
complete -c whctl -f -a '(__whctl_offers)'
)FISH";

constexpr std::array scripts{CompletionScript{"bash", "whctl.bash", bash_script},
                             CompletionScript{"zsh", "_whctl", zsh_script},
                             CompletionScript{"fish", "whctl.fish", fish_script}};

}  // namespace

std::span<const CompletionScript> completion_scripts() { return scripts; }

const CompletionScript* find_completion_script(std::string_view shell) {
  return std::find_if(scripts.begin(), scripts.end(),
                      [&](const CompletionScript& script) { return script.shell == shell; });
}

}  // namespace webhookd::whctl
