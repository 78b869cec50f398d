# Completion of start-guard in bash, installed as
# /usr/share/bash-completion/completions/start-guard.

# Completes with libvirt's list for option $1, one line each. Connects read-only, so that libvirt does
# not ask for a password. Completes nothing if libvirt does not run.
_start_guard_from_libvirt() {
    local name char quote='' begun=$cur
    case $cur in
        [\"\']*) quote=${cur:0:1} begun=${cur:1} ;;
        *\\*) begun=${cur//\\/} ;;
    esac
    while IFS= read -r name; do
        [[ -n $name && $name == "$begun"* ]] || continue
        if [[ $quote ]]; then
            # readline inserts the name between the quotes without changes.
            [[ $name == *[\"\'\\\$\`!]* ]] && continue
        else
            printf -v name %q "$name"
            # Otherwise readline would begin a new word after these characters.
            for char in : = @; do
                name=${name//"$char"/\\"$char"}
            done
        fi
        COMPREPLY+=("$name")
    done < <(timeout 3 virsh -q -r -c qemu:///system list --all "$1" </dev/null 2>/dev/null)
}

_start_guard_words() {
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
}

# Completes the command after `lock … --`. Its first word has number $1.
_start_guard_command() {
    if declare -F _comp_command_offset >/dev/null; then
        _comp_command_offset "$1"
    elif declare -F _command_offset >/dev/null; then
        _command_offset "$1"
    elif ((COMP_CWORD == $1)); then
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -c -- "$cur")
    else
        compopt -o default
    fi
}

_start_guard_lock() {
    local i named=
    for ((i = 2; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            --)
                _start_guard_command $((i + 1))
                return
                ;;
            -w | --wait | -E | --conflict-exit-code | --domain) ((i++)) ;;
            -*) ;;
            *) named=yes ;;
        esac
    done
    # The value of an option cannot be completed.
    ((i > COMP_CWORD)) && return
    case $cur in
        -*)
            _start_guard_words "-n --nonblock -w --wait -E --conflict-exit-code --domain --help"
            ;;
        '') [[ $named ]] && COMPREPLY=(--) ;;
    esac
}

_start_guard() {
    local cur=${COMP_WORDS[COMP_CWORD]} verb=${COMP_WORDS[1]} options=
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        case $cur in
            -*) _start_guard_words "--help --version" ;;
            *)
                _start_guard_words "list holder check metrics reconcile release release-ended join
                    leave install-hook remove-hook name uuid lock keep"
                ;;
        esac
        return
    fi
    case $verb in
        list) options="--json --cluster" ;;
        holder | check) options="--json" ;;
        reconcile) options="--dry-run" ;;
        release) options="--force --yes" ;;
        install-hook) options="--driver --from" ;;
        remove-hook) options="--yes" ;;
        metrics | release-ended | join | leave | name | uuid | keep) ;;
        lock)
            _start_guard_lock
            return
            ;;
        *) return ;;
    esac
    if [[ $cur == -* ]]; then
        _start_guard_words "$options --help"
        return
    fi
    case $verb in
        holder | release) _start_guard_from_libvirt --name ;;
        name) _start_guard_from_libvirt --uuid ;;
        install-hook)
            case ${COMP_WORDS[COMP_CWORD - 1]} in
                --driver) _start_guard_words "qemu lxc libxl" ;;
                --from) compopt -o default ;;
            esac
            ;;
    esac
}

complete -F _start_guard start-guard
