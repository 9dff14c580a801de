/* The second-stage boot loader: the first 252 bytes of the RP2040's flash. The boot ROM copies them to RAM, checks the
 * CRC-32 behind them and jumps to their beginning. This one maps the flash by the command that every serial flash knows,
 * 03h: one data line, three bytes of address, no dummy cycles; and goes on through the vector table behind it.
 * Registers: Raspberry Pi RP2040 datasheet, 4.10 (SSI). */
    .syntax unified
    .cpu cortex-m0plus
    .thumb
    .section .text

    .equ SSI_CTRLR0, 0x00
    .equ SSI_CTRLR1, 0x04
    .equ SSI_ENR, 0x08
    .equ SSI_BAUDR, 0x14
    .equ CLOCK_DIVIDER, 4           @ 33 MHz of 133; 03h goes up to 50 on a Pico's flash

boot:
    ldr r3, ssi
    movs r0, #0
    str r0, [r3, #SSI_ENR]          @ off while it is set up
    movs r1, #CLOCK_DIVIDER
    str r1, [r3, #SSI_BAUDR]
    ldr r1, ctrlr0
    str r1, [r3, #SSI_CTRLR0]
    str r0, [r3, #SSI_CTRLR1]       @ one frame of data a read
    ldr r1, spi_ctrlr0
    ldr r2, ssi_spi_ctrlr0
    str r1, [r2]
    movs r1, #1
    str r1, [r3, #SSI_ENR]
    ldr r0, vectors
    ldr r1, vtor
    str r0, [r1]
    ldm r0!, {r1, r2}
    msr msp, r1
    bx r2

    .balign 4
ssi:            .word 0x18000000
ssi_spi_ctrlr0: .word 0x180000f4
ctrlr0:         .word 31 << 16 | 3 << 8             @ frames of 32 bits; write the command, then read
spi_ctrlr0:     .word 0x03 << 24 | 2 << 8 | 6 << 2  @ 8 bits of command 03h, 24 of address, all on one line
vtor:           .word 0xe000ed08
vectors:        .word 0x10000100
