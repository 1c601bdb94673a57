#!/usr/bin/env bash
# Starts a cluster of one node, this one, for tests: start.sh FOLDER [SLOTS]. Everything it has is in the folder; as root, with Debian's
# slurmctld, slurmd, slurm-client and munge. Clients need SLURM_CONF=FOLDER/slurm.conf.
set -euo pipefail
folder=$(mkdir -p "$1" && cd "$1" && pwd)
slots=${2:-4}
for program in slurmctld slurmd sinfo munged; do
  command -v "$program" > /dev/null || { echo "no $program: apt install slurmctld slurmd slurm-client munge" >&2; exit 1; }
done
[ "$(id -u)" = 0 ] || { echo "slurmd needs root" >&2; exit 1; }
node=$(hostname -s)
memory=$(awk '/^MemTotal/ { print int($2 / 1024 * 0.9) }' /proc/meminfo)
mkdir -p "$folder/state" "$folder/spool"
mkdir -p -m 700 "$folder/munge"

# A key and a socket of its own, so that nothing outside the folder is touched.
(umask 077; head -c 1024 /dev/urandom > "$folder/munge/key")
munged --force --key-file="$folder/munge/key" --socket="$folder/munge/socket" --pid-file="$folder/munge/pid" \
  --seed-file="$folder/munge/seed" --log-file="$folder/munge/log"

cat > "$folder/slurm.conf" << CONF
ClusterName=kmlab
SlurmctldHost=$node(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket
CryptoType=crypto/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
# Neither control groups nor accounting: a container has the one and needs no other.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,sched_interval=1,bf_interval=1
# More slots than there are cores, if asked for.
SlurmdParameters=config_overrides
ReturnToService=2
MaxArraySize=10001
NodeName=$node NodeAddr=127.0.0.1 CPUs=$slots RealMemory=$memory State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF

export SLURM_CONF="$folder/slurm.conf"
slurmctld -f "$SLURM_CONF"
slurmd -f "$SLURM_CONF" -N "$node"
for _ in $(seq 120); do
  [ "$(sinfo --noheader --format %T 2> /dev/null)" = idle ] && exit 0
  sleep 0.25
done
echo "the node did not become idle; see $folder/slurmctld.log" >&2
exit 1
