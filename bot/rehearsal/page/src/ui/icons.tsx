// Line icons, drawn for this page on a grid of 20. Decoration only: what they mean is always said in words as well.

const PATHS = {
  hash: "M8 3 6.5 17M13.5 3 12 17M3.5 7.5h13.5M3 12.5h13.5",
  lock: "M5.5 9h9v7.5h-9zM7.5 9V6.5a2.5 2.5 0 0 1 5 0V9",
  home: "M3.5 9.5 10 4l6.5 5.5M5.5 8.5v8h9v-8M8.5 16.5v-4h3v4",
  chat: "M3.5 4.5h13v9h-7l-3.5 3v-3h-2.5z",
  thread: "M3.5 4h13v8h-8l-3 2.5V12h-2M8.5 15h4l3 2.5V15h1",
  more: "M4.5 10h.01M10 10h.01M15.5 10h.01",
  close: "M5 5l10 10M15 5 5 15",
  send: "M3.5 10 16.5 4l-4 12.5-3-5.5zM9.5 11l7-7",
  stop: "M6 6h8v8H6z",
  chevron: "M6 8l4 4 4-4",
  check: "M4.5 10.5 8.5 14.5 15.5 6",
  plus: "M10 4.5v11M4.5 10h11",
  smile: "M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM7 12c1.5 2 4.500 2 6 0M7.500 8h.01M12.500 8h.01",
  edit: "M12.500 4.500l3 3L7.500 15.500l-3.500.500.500-3.500z",
  trash: "M4.500 6h11M8 6V4.500h4V6M6 6l.700 10h6.600L14 6M8.500 9v4.500M11.500 9v4.500",
  clip: "M14.500 9.500l-5 5a3 3 0 0 1-4.300-4.300l5.800-5.800a2 2 0 0 1 2.900 2.900l-5.600 5.600a1 1 0 0 1-1.400-1.400l4.700-4.700",
  sun: "M10 13.500a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7zM10 2.500v1.500M10 16v1.500M2.500 10H4M16 10h1.500M4.700 4.700l1 1M14.300 14.300l1 1M4.700 15.300l1-1M14.300 5.700l1-1",
  moon: "M16 12a6.500 6.500 0 0 1-8-8 6.500 6.500 0 1 0 8 8z",
  layers: "M10 3.500 17 7l-7 3.500L3 7zM3 10.500 10 14l7-3.500M3 13.800l7 3.500 7-3.500",
  menu: "M3.500 6h13M3.500 10h13M3.500 14h13",
  thumbUp: "M6.500 9v7.500H4V9zM6.500 9l3-5.500c1.500 0 2 1 1.700 2.300L10.700 8H15c1 0 1.600.800 1.400 1.800l-1 5.200c-.200.900-.800 1.500-1.700 1.500H6.500",
  thumbDown: "M13.500 11V3.500H16V11zM13.500 11l-3 5.500c-1.500 0-2-1-1.700-2.300l.500-2.200H5c-1 0-1.600-.800-1.400-1.800l1-5.200C4.800 4.100 5.400 3.500 6.300 3.500h7.200",
  file: "M5.500 3h6l3.500 3.500V17h-9.500zM11.500 3v3.500H15",
  spark: "M10 3l1.700 5.300L17 10l-5.300 1.700L10 17l-1.700-5.300L3 10l5.300-1.700z",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
  return (
    <svg class="icon" width={size} height={size} viewBox="0 0 20 20" fill="none" stroke="currentColor"
      stroke-width={name === "more" ? 2.4 : 1.6} stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
