# The same in bash. It can't open with O_NONBLOCK, which makes no difference to a free lock.
while read -r line; do
    [[ $line =~ '<uuid>'(.*)'</uuid>' ]] && name=${BASH_REMATCH[1]:0:31}
done
case $2 in
    prepare) exec 3<>"/dlm/vms/$name" ;;
    release) rm "/dlm/vms/$name" ;;
esac
