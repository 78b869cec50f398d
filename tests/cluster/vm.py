"""The VM that stories start and stop: 16 MiB, no disk, starts in seconds. Its own kernel of a few
bytes sleeps when idle and reacts to `virsh shutdown`."""

XML = """<domain type='qemu'>
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  <memory unit='MiB'>16</memory>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <kernel>/share/vm-kernel</kernel>
  </os>
  <features><acpi/></features>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
  </devices>
</domain>
"""

# The same with 8 MiB of memory that is not zero, which a migration has to transfer: with
# `--bandwidth 1` (MiB/s) it takes seconds, so a story can act in the middle of it.
CARRIED = 8 << 20
HEAVY_XML = XML.replace("</kernel>", "</kernel>\n    <initrd>/share/vm-memory</initrd>")

# The same with a disk to which the VM writes continuously, through io_uring.
WRITER_XML = XML.replace("/share/vm-kernel", "/share/vm-writer").replace("    <controller", """\
    <disk type='block' device='disk'>
      <driver name='qemu' type='raw' cache='none' io='io_uring'/>
      <source dev='/dev/vdb'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <controller""", 1)

# The same, but it writes a sign of life to its serial port several times a second: a file on the share,
# which tests see from outside. Each host has a folder of its own behind /run/lab/life.
PULSE_XML = XML.replace("/share/vm-kernel", "/share/vm-pulse").replace("    <memballoon", """\
    <serial type='file'><source path='/run/lab/life/{name}' append='on'/></serial>
    <memballoon""")

# Runs in real mode, where the BIOS handles the timer interrupt, which ends hlt 18 times a second.
# The ports are those of the machine type pc with SeaBIOS: ACPI's PM1 block is at 0x600.
_CODE = bytes.fromhex(
    "fb"            # sti
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
_PULSE_CODE = bytes.fromhex(
    "fb"            # sti
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


# Increments the first word of the boot sector in memory, and writes that sector to the second sector
# of the disk.
WRITES_AT = 512
_WRITER_CODE = bytes.fromhex(
    "fb"            # sti
    "ff060000"      # next: inc word [0]
    "b80103"        # mov ax, 0x301     the BIOS's write, one sector,
    "b90200"        # mov cx, 2         the second one
    "ba8000"        # mov dx, 0x80      of the first disk,
    "31db"          # xor bx, bx        from es:0, which is ds:0
    "cd13"          # int 0x13
    "f4"            # hlt
    "ebec"          # jmp next
)


def writer():
    """Returns the kernel of WRITER_XML."""
    return kernel(_WRITER_CODE)


def pulse():
    """Returns the kernel of PULSE_XML."""
    return kernel(_PULSE_CODE)


def kernel(code=_CODE):
    """Returns a file that QEMU accepts as a Linux kernel of the oldest boot protocol with a header
    (2.00): a boot sector, one sector of setup code and one sector of kernel. Only the setup code
    runs."""
    image = bytearray(3 * 512)
    image[0x1f1] = 1                                 # sectors of setup
    image[0x1fe:0x200] = b"\x55\xaa"
    image[0x200:0x202] = b"\xeb\x3e"                 # setup begins here: jmp 0x240
    image[0x202:0x208] = b"HdrS\x00\x02"             # boot protocol 2.00
    image[0x240:0x240 + len(code)] = code
    return bytes(image)
