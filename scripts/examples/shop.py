"""A shop: Flask, SQLAlchemy and requests: `cd scripts/examples; python -m greening.wsgi --workers 2 shop:app`

SHOP_DATABASE is the address of its database, SHOP_PRICES that of a service which knows the prices: GET PRICES/ARTICLE.

    curl -X POST 127.0.0.1:8000/orders/tea
    curl 127.0.0.1:8000/orders
"""

import os

import requests
from flask import Flask
from sqlalchemy import Float, String, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

# A transaction waits so many seconds for another one's lock, and other green threads run meanwhile.
engine = create_engine(os.environ.get("SHOP_DATABASE", "sqlite:///shop.db"), connect_args={"timeout": 5})
app = Flask(__name__)


class Base(DeclarativeBase):
    """The tables."""


class Order(Base):
    """One article that was bought."""

    __tablename__ = "orders"

    number: Mapped[int] = mapped_column(primary_key=True)
    article: Mapped[str] = mapped_column(String(100))
    price: Mapped[float] = mapped_column(Float)
    worker: Mapped[int]


Base.metadata.create_all(engine)


@app.post("/orders/<article>")
def order(article: str) -> tuple[dict[str, object], int]:
    """The price is asked for before the transaction begins: a slow service locks nothing."""
    answer = requests.get(f"{os.environ['SHOP_PRICES']}/{article}", timeout=10)
    answer.raise_for_status()
    with Session(engine) as session, session.begin():
        made = Order(article=article, price=answer.json()["price"], worker=os.getpid())
        session.add(made)
        session.flush()
        return {"number": made.number, "price": made.price}, 201


@app.get("/orders")
def orders() -> dict[str, object]:
    with Session(engine) as session:
        found = session.scalars(select(Order).order_by(Order.number)).all()
        return {"articles": [each.article for each in found], "total": sum(each.price for each in found)}
