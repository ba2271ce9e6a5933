# fish completion for whctl, printed by `whctl completion fish`. What can stand where, it asks whctl.
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
