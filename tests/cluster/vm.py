"""The VM that stories start and stop: 16 MiB, no disk. It sleeps when idle and reacts to `virsh shutdown`.

Two things make its start three times as fast in an emulated host. It boots firmware of a few bytes instead
of a BIOS. And libvirt believes that QEMU cannot list unavailable features of a processor; otherwise it asks
for each of 200 features, twice, and QEMU reads the questions byte by byte."""

import os

XML = """<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  <memory unit='MiB'>16</memory>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <loader type='rom'>/share/vm-idle</loader>
  </os>
  <features><acpi/></features>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
  </devices>
  <qemu:capabilities><qemu:del capability='cpu-unavailable-features'/></qemu:capabilities>
</domain>
"""

# The same with 12 MiB more of firmware, which is not zero, so a migration has to transfer it: with
# `--bandwidth 1` (MiB/s) it takes seconds, so a story can act in the middle of it.
CARRIED = 12 << 20
HEAVY_XML = XML.replace("/share/vm-idle", "/share/vm-heavy")

# The same with a disk to which the VM writes continuously, through io_uring.
WRITER_XML = XML.replace("/share/vm-idle", "/share/vm-writer").replace("    <controller", """\
    <disk type='block' device='disk'>
      <driver name='qemu' type='raw' cache='none' io='io_uring'/>
      <source dev='/dev/vdb'/>
      <target dev='hda' bus='ide'/>
    </disk>
    <controller""", 1)
WRITES_AT = 512  # byte on that disk

# The same, but it writes a sign of life to its serial port several times a second: a file on the share,
# which tests see from outside. Each host has a folder of its own behind /run/lab/life.
PULSE_XML = XML.replace("/share/vm-idle", "/share/vm-pulse").replace("    <memballoon", """\
    <serial type='file'><source path='/run/lab/life/{name}' append='on'/></serial>
    <memballoon""")

# The same with a disk, which has the VM's snapshots.
SNAPSHOT_XML = PULSE_XML.replace("    <controller", """\
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/>
      <source file='/share/soak/{name}.qcow2'/>
      <target dev='hda' bus='ide'/>
    </disk>
    <controller""", 1)

# All firmware begins with this, in real mode, where the timer's interrupt ends hlt 18 times a second. The
# devices are those of the machine type pc: two 8259 interrupt controllers, and a PIIX4, which has ACPI's
# registers.
_START = bytes.fromhex(
    "31c0"          # xor ax, ax
    "8ed8"          # mov ds, ax
    "8ed0"          # mov ss, ax
    "bc0070"        # mov sp, 0x7000
    "c70620007700"  # mov word [0x20], tick     the timer's interrupt, which is the eighth
    "c706220000f0"  # mov word [0x22], 0xf000
    "b011e620"      # out 0x20, 0x11            the first interrupt controller:
    "b008e621"      # out 0x21, 8               its interrupts are 8 to 15,
    "b004e621"      # out 0x21, 4               the second one is at its input 2,
    "b001e621"      # out 0x21, 1               mode 8086,
    "b0fee621"      # out 0x21, 0xfe            only the timer is enabled
    "2e0f01167e00"  # lgdt cs:[table]           real mode, but es has no limit:
    "0f20c0"        # mov eax, cr0
    "400f22c0"      # inc ax; mov cr0, eax
    "bb08008ec3"    # mov bx, 8; mov es, bx
    "480f22c0"      # dec ax; mov cr0, eax
    "66bb5003e0fe"  # mov ebx, 0xfee00350       the local APIC passes interrupts of the first
    "266766c703"    # mov dword es:[ebx],       controller to the processor
    "00070000"      #     0x700
    "66b8400b0080"  # mov eax, 0x80000b40       PIIX4, device 1, function 3:
    "baf80c66ef"    # out 0xcf8, eax
    "bafc0c"        # mov dx, 0xcfc
    "66b801060000"  # mov eax, 0x601            ACPI's PM1 block is at 0x600
    "66ef"          # out dx, eax
    "66b8800b0080"  # mov eax, 0x80000b80
    "baf80c66ef"    # out 0xcf8, eax
    "bafc0c"        # mov dx, 0xcfc
    "b001ee"        # out dx, 1                 and enabled
    "eb1d"          # jmp main
    "50"            # tick: push ax
    "b020e620"      # out 0x20, 0x20            end of interrupt
    "58cf"          # pop ax; iret
    "0f0084000f00"  # table: 15, 0xf0084        two descriptors: none,
    "0000000000000000"
    "ffff00000092cf00"                        # and all memory
    "fb"            # main: sti
)

_IDLE = bytes.fromhex(
    "ba0206"        # mov dx, 0x602     PM1 enable:
    "b80001"        # mov ax, 0x100     the power button,
    "ef"            # out dx, ax        which otherwise does not appear in the status
    "ba0006"        # mov dx, 0x600     PM1 status
    "f4"            # wait: hlt
    "ed"            # in ax, dx
    "f6c401"        # test ah, 1        the power button was pressed
    "74f9"          # jz wait
    "ba0406"        # mov dx, 0x604     PM1 control:
    "b80020"        # mov ax, 0x2000    power off
    "ef"            # out dx, ax
    "f4ebfd"        # hlt for ever
)

# The same, and every fourth tick it writes a character to the first serial port.
_PULSE = bytes.fromhex(
    "ba0206"        # mov dx, 0x602
    "b80001"        # mov ax, 0x100
    "ef"            # out dx, ax
    "f4"            # wait: hlt
    "fec1"          # inc cl
    "f6c103"        # test cl, 3
    "7506"          # jnz button
    "baf803"        # mov dx, 0x3f8
    "b02e"          # mov al, '.'
    "ee"            # out dx, al
    "ba0006"        # button: mov dx, 0x600
    "ed"            # in ax, dx
    "f6c401"        # test ah, 1
    "74e9"          # jz wait
    "ba0406"        # mov dx, 0x604
    "b80020"        # mov ax, 0x2000
    "ef"            # out dx, ax
    "f4ebfd"        # hlt for ever
)

# Increments a word in memory, and writes it to the second sector of the first IDE disk.
_WRITER = bytes.fromhex(
    "ff060005"      # next: inc word [0x500]
    "baf201b001ee"  # out 0x1f2, 1      one sector
    "42ee"          # out 0x1f3, 1      at address 1
    "30c0"          # xor al, al
    "42ee42ee"      # out 0x1f4, 0; out 0x1f5, 0
    "42b0e0ee"      # out 0x1f6, 0xe0   of the first disk
    "42b030ee"      # out 0x1f7, 0x30   write
    "eca808"        # asked: in al, dx; test al, 8
    "74fb"          # jz asked          until it asks for the data
    "be0005"        # mov si, 0x500
    "b90001"        # mov cx, 256
    "baf001"        # mov dx, 0x1f0
    "f36f"          # rep outsw
    "baf701"        # mov dx, 0x1f7
    "f4"            # busy: hlt
    "eca880"        # in al, dx; test al, 0x80
    "75fa"          # jnz busy
    "ebcb"          # jmp next
)


def files():
    """Returns what the VMs boot: the content of each file by its name."""
    idle = _firmware(_IDLE)
    return {"vm-idle": idle, "vm-heavy": os.urandom(CARRIED) + idle, "vm-pulse": _firmware(_PULSE),
            "vm-writer": _firmware(_WRITER)}


def _firmware(code):
    """Returns the last 64 KiB below 1 MiB, where the processor starts 16 bytes before the end."""
    image = bytearray(1 << 16)
    image[:len(_START + code)] = _START + code
    image[0xfff0:0xfff5] = bytes.fromhex("ea000000f0")  # jmp 0xf000:0
    return bytes(image)
