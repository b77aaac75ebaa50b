import type { MachineEnergy } from "./energy.ts";

/** A machine as its maker describes it. */
export interface DescribedMachine {
  readonly id: string;
  readonly title: string;
  /** Bytes that models can be in; the largest version that is sold. */
  readonly memoryBytes: number;
  /** Bytes a second from that memory, at most. */
  readonly bytesPerSecond: number;
  /** Additions and multiplications a second, at most, in the format that `peakOf` names. */
  readonly operationsPerSecond: number;
  readonly peakOf: string;
  readonly energy: MachineEnergy;
  /** Where the figures stand. */
  readonly source: string;
}

const ddr: MachineEnergy = { arithmetic: "7nm", memory: "ddr" };
const gddr: MachineEnergy = { arithmetic: "7nm", memory: "gddr6" };
const hbm: MachineEnergy = { arithmetic: "7nm", memory: "hbm2" };

type Row = readonly [
  id: string,
  title: string,
  gigabytes: number,
  gigabytesPerSecond: number,
  teraOperations: number,
  peakOf: string,
  energy: MachineEnergy,
  source: string,
];

/** From small to large. Bandwidths are bus width × transfer rate where a data sheet gives those. */
const rows: readonly Row[] = [
  [
    "raspberry-pi-5",
    "Raspberry Pi 5",
    16,
    17.1,
    0.154,
    "float32, 4 cores × 16 a cycle × 2.4 GHz",
    ddr,
    "Raspberry Pi 5 product brief: LPDDR4X-4267, 32 bits, Cortex-A76",
  ],
  [
    "iphone-15-pro",
    "iPhone 15 Pro (A17 Pro)",
    8,
    51.2,
    2.15,
    "float32, GPU",
    ddr,
    "LPDDR5-6400, 64 bits; Apple, A17 Pro: 6 GPU cores",
  ],
  [
    "snapdragon-8-gen-3",
    "phone, Snapdragon 8 Gen 3",
    24,
    76.8,
    2.8,
    "float32, GPU",
    ddr,
    "Qualcomm, Snapdragon 8 Gen 3 product brief: LPDDR5X at 4800 MHz",
  ],
  [
    "laptop-ddr4",
    "laptop, 4 cores, DDR4-3200",
    64,
    51.2,
    0.45,
    "float32, 4 cores × 32 a cycle × 3.5 GHz",
    ddr,
    "two channels of DDR4-3200 (JEDEC JESD79-4)",
  ],
  [
    "laptop-ddr5",
    "laptop, 8 cores, DDR5-5600",
    96,
    89.6,
    1.02,
    "float32, 8 cores × 32 a cycle × 4 GHz",
    ddr,
    "two channels of DDR5-5600 (JEDEC JESD79-5)",
  ],
  [
    "snapdragon-x-elite",
    "laptop, Snapdragon X Elite",
    64,
    135,
    4.6,
    "float32, GPU",
    ddr,
    "Qualcomm, Snapdragon X Elite product brief: LPDDR5X, 135 GB/s, 4.6 TFLOPS",
  ],
  [
    "macbook-air-m2",
    "MacBook Air (M2)",
    24,
    100,
    3.6,
    "float32, GPU",
    ddr,
    "Apple newsroom, 6 June 2022: 100 GB/s, 3.6 teraflops",
  ],
  [
    "mac-m4-pro",
    "Mac with M4 Pro",
    64,
    273,
    9.2,
    "float32, GPU of 20 cores",
    ddr,
    "Apple newsroom, 30 October 2024: 273 GB/s",
  ],
  [
    "mac-studio-m2-ultra",
    "Mac Studio (M2 Ultra)",
    192,
    800,
    27.2,
    "float32, GPU of 76 cores",
    ddr,
    "Apple newsroom, 5 June 2023: 800 GB/s, 27.2 teraflops",
  ],
  [
    "jetson-agx-orin",
    "Jetson AGX Orin 64 GB",
    64,
    204.8,
    5.3,
    "float32, GPU",
    ddr,
    "NVIDIA, Jetson AGX Orin data sheet: 204.8 GB/s, 5.3 TFLOPS",
  ],
  [
    "desktop-ddr5",
    "desktop, 16 cores, DDR5-6000",
    192,
    96,
    2.3,
    "float32, 16 cores × 32 a cycle × 4.5 GHz",
    ddr,
    "two channels of DDR5-6000 (JEDEC JESD79-5)",
  ],
  [
    "server-epyc-9654",
    "server, EPYC 9654",
    6000,
    460.8,
    7.4,
    "float32, 96 cores × 32 a cycle × 2.4 GHz",
    ddr,
    "AMD, EPYC 9654 specifications: 12 channels of DDR5-4800",
  ],
  [
    "server-xeon-8480",
    "server, Xeon Platinum 8480+",
    4000,
    307.2,
    114.7,
    "bfloat16 (AMX), 56 cores × 1024 a cycle × 2 GHz",
    ddr,
    "Intel ARK, Xeon Platinum 8480+: 8 channels of DDR5-4800",
  ],
  [
    "rtx-3090",
    "GeForce RTX 3090",
    24,
    936,
    71,
    "float16 with float32 sums, dense",
    gddr,
    "NVIDIA, Ampere GA102 whitepaper",
  ],
  [
    "rtx-4090",
    "GeForce RTX 4090",
    24,
    1008,
    165.2,
    "float16 with float32 sums, dense",
    gddr,
    "NVIDIA, Ada GPU architecture whitepaper",
  ],
  [
    "rtx-6000-ada",
    "RTX 6000 Ada",
    48,
    960,
    364.2,
    "float16, dense",
    gddr,
    "NVIDIA, RTX 6000 Ada data sheet",
  ],
  [
    "a100-80gb",
    "A100 80 GB (SXM)",
    80,
    2039,
    312,
    "bfloat16, dense",
    hbm,
    "NVIDIA, A100 data sheet",
  ],
  [
    "h100",
    "H100 (SXM)",
    80,
    3350,
    989.4,
    "bfloat16, dense",
    hbm,
    "NVIDIA, H100 data sheet, half of what it gives with sparsity",
  ],
  [
    "h200",
    "H200 (SXM)",
    141,
    4800,
    989.4,
    "bfloat16, dense",
    hbm,
    "NVIDIA, H200 data sheet, half of what it gives with sparsity",
  ],
];

/** Machines that plans know by name. */
export const describedMachines: readonly DescribedMachine[] = rows.map(
  ([id, title, gigabytes, bandwidth, tera, peakOf, energy, source]) => ({
    id,
    title,
    memoryBytes: 1e9 * gigabytes,
    bytesPerSecond: 1e9 * bandwidth,
    operationsPerSecond: 1e12 * tera,
    peakOf,
    energy,
    source,
  }),
);
