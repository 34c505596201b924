#!/usr/bin/env python3
"""Writes examples/leads.csv (2,000 customers) and examples/orders.csv (6,000 orders). The same bytes at every run."""

import csv
import datetime
import pathlib
import random

LEADS, ORDERS, SEED = 2_000, 6_000, 20_260_101

FIRST = """Aisha Anna Bruno Carlos Chiara Dmitri Elif Emma Femi Grace Hanna Ines Jorge Kofi Lars Leila Łukasz María
Minh Nadia Noah Olga Priya Ravi Sara Seán Sofía Tomás Wei Yuki Zoë""".split()
LAST = """Ahmed Andersen Brown Chen Costa Diallo Fischer García Haddad Ivanova Johnson Kim Kowalski Lopez Müller Nakamura
Nguyen O'Brien Okafor Patel Rossi Santos Silva Smith Yılmaz""".split()
CITIES = ["Amsterdam", "Berlin", "Buenos Aires", "Istanbul", "Lagos", "Lisbon", "London", "Nairobi", "New York",
          "Osaka", "São Paulo", "Toronto", "Warsaw"]
COMPANIES = ["Acme, Inc.", "Blue Door Books", 'The "Corner" Café', "Hill, Ortiz & Sons", "North Wind Ltd."]
SKUS = {"MUG": 9.5, "TEE": 19.0, "BOOK": 14.25, "LAMP": 48.0, "TEA": 6.75, "BAG": 32.5, "PEN": 2.4, "RUG": 129.0}
FIRST_DAY = datetime.datetime(2025, 1, 1, tzinfo=datetime.timezone.utc)


def make_lead(random_, number):
    name = f"{random_.choice(FIRST)} {random_.choice(LAST)}"
    emails = [f"customer{number:05d}@example.com"]
    if random_.random() < 0.05:
        emails.append(f"customer{number:05d}@work.example.org")
    tags = [tag for tag, share in (("newsletter", 0.45), ("vip", 0.06), ("churn-risk", 0.12)) if random_.random() < share]
    return {
        "name": name,
        "emails": ";".join(emails),
        "phones": "" if random_.random() < 0.03 else f"+1555{number:07d}",  # nobody to call: SKIPPED in a campaign
        "tags": ";".join(tags),
        "metadata.city": "" if random_.random() < 0.08 else random_.choice(CITIES),  # a template's default steps in
        "metadata.company": random_.choice(COMPANIES) if random_.random() < 0.1 else "",
    }


def make_order(random_, number, email):
    items = {random_.choice(sorted(SKUS)): random_.randint(1, 3) for _ in range(random_.randint(1, 3))}
    at = FIRST_DAY + datetime.timedelta(minutes=random_.randrange(365 * 24 * 60))
    return {
        "order_no": f"EX{number:06d}",
        "email": email,
        "ordered_at": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "currency": "USD",
        "total": f"{sum(SKUS[sku] * quantity for sku, quantity in items.items()):.2f}",
        "items": ";".join(f"{sku} x{quantity}" for sku, quantity in items.items()),
    }


def write(path, rows):
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main():
    random_ = random.Random(SEED)
    leads = [make_lead(random_, number) for number in range(1, LEADS + 1)]
    # A few buy often, most once or twice, some never.
    eagerness = [random_.paretovariate(1.3) if random_.random() < 0.85 else 0.0 for _ in leads]
    buyers = random_.choices(leads, weights=eagerness, k=ORDERS)
    orders = [make_order(random_, number, buyer["emails"].split(";")[0]) for number, buyer in enumerate(buyers, 1)]
    examples = pathlib.Path(__file__).resolve().parent.parent / "examples"
    examples.mkdir(exist_ok=True)
    write(examples / "leads.csv", leads)
    write(examples / "orders.csv", orders)
    print(f"{examples}: {len(leads)} leads, {len(orders)} orders")


if __name__ == "__main__":
    main()
