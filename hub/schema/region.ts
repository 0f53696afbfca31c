import { z } from 'zod'

/** 12-digit administrative code: county 6 (GB/T 2260) + township 3 + village 3 (GB/T 10114). */
export const RegionCode = z.string().regex(/^\d{12}$/, 'a region code has 12 digits')
export type RegionCode = z.infer<typeof RegionCode>

export const RegionLevel = z.enum(['county', 'township', 'village'])
export type RegionLevel = z.infer<typeof RegionLevel>

/**
 * The significant leading digits of a region code: 6 = county, 9 = township, 12 = village.
 * A scope holds every region whose code starts with it. It stands in addresses (`/s/:scope`),
 * in what a person may see, and in socket rooms.
 */
export const Scope = z.string().regex(/^\d{6}(\d{3}(\d{3})?)?$/, 'a scope has 6, 9 or 12 digits')
export type Scope = z.infer<typeof Scope>

/** WGS-84 degrees. */
export const Position = z.object({
  lon: z.number().min(-180).max(180),
  lat: z.number().min(-90).max(90),
})
export type Position = z.infer<typeof Position>

export const Region = z.object({
  code: RegionCode,
  level: RegionLevel,
  name: z.string().min(1).max(64),
  center: Position.nullable().describe('Middle of the region, WGS-84'),
  outline: z
    .array(z.tuple([z.number(), z.number()]))
    .nullable()
    .describe('Border as [lon, lat] pairs, WGS-84; null when it was never drawn'),
})
export type Region = z.infer<typeof Region>
